/**
 * A picture of the page: a thumbnail's stream, a photo's, and the photo itself where it is here.
 * Few bytes are spent on the thumbnail, more on the photo.
 */

import { Stream } from "./stream.js";

/** Up to here 32 x 32 pixels show more than as many bytes of the photo's stream. */
export const THUMB_BYTES = 256;
export const CODECS = { thumb: "prefixel", photo: "photo" };

export class Picture {
  /** `original`: URL of the photo itself, or null; `file`: its bytes, for comparisons. */
  constructor({ id = null, name, alt = name, credit = "", aspect = null, file = null }) {
    Object.assign(this, { id, name, alt, credit, aspect, file });
    this.originalBytes = file?.size ?? null;
    this.original = file && URL.createObjectURL(file);
    this.thumb = null;
    this.photo = null;
    this.urls = {};
    this.canPaintPhotos = true;
    this.isAsked = id === null;
  }

  /** Bytes of all that the slider can show. */
  get total() {
    return (this.canPaintPhotos && this.photo?.total) || this.thumb?.total || 0;
  }

  /** Which of the streams so many bytes are of, "thumb" or "photo". */
  kindAt(bytes) {
    const isPhoto = bytes > THUMB_BYTES && this.canPaintPhotos && this.photo !== null;
    return isPhoto ? "photo" : "thumb";
  }

  /** What is here of so many bytes; it may be empty. */
  prefixAt(bytes) {
    return this[this.kindAt(bytes)]?.bytes.subarray(0, bytes) ?? new Uint8Array(0);
  }

  /** Take what an upload's answer or an image's document says. */
  take({ aspect, codecs }) {
    this.aspect = aspect;
    this.isAsked = true;
    for (const [kind, codec] of Object.entries(CODECS)) {
      const said = codecs[codec];
      if (!said) continue;
      this.urls[kind] = said.urls.pxl;
      const inline = said.stream && Uint8Array.from(atob(said.stream), (one) => one.charCodeAt(0));
      const here = inline ?? this[kind]?.bytes ?? new Uint8Array(0);
      this[kind] = new Stream(here, said.bytes, said.urls.pxl);
    }
  }

  /** Have so many bytes here; whether anything had to be fetched. */
  async need(bytes) {
    const hasAll = () => this.prefixAt(bytes).length >= Math.min(bytes, this.total);
    if (this.isAsked ? hasAll() : hasAll() && bytes <= THUMB_BYTES) return false;
    if (!this.isAsked && bytes > this.thumb.bytes.length) await this.#ask();
    await this[this.kindAt(bytes)].grow(bytes);
    return true;
  }

  async #ask() {
    this.isAsked = true;
    const answer = await fetch(`v1/images/${this.id}`);
    if (answer.ok) this.take(await answer.json());
  }

  forget() {
    if (this.file) URL.revokeObjectURL(this.original);
  }
}
