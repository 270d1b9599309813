/**
 * How an element paints a photo: first a few hundred bytes, then at each doubling, then all; at last
 * as its network corrects it, what is in view first.
 */

import { StreamError, UnpaintableError } from "../core/header.js";
import { LONGEST_BYTES, readPhotoHeader } from "../photo/header.js";
import { PhotoStream, prepare } from "../photo/photos.js";
import { bitsAPixel, rasterOf } from "./choices.js";

const FIRST_BYTES = 300;
/** Between pictures at least, where so many are here: about a tenth of a second of parsing. */
const STEP_BYTES = 32768;
/** Pixels that a box takes at least: one that has no size yet may get one. */
const LEAST_PIXELS = 32;
/** Of a height. */
const WHOLE = [0, 1];
/** What is left to parse once all bytes are here may last so long; then the service paints. */
const PATIENCE_MS = 2000;

prepare();

/** How much of a photo, whose header is here, an element's attributes ask for. */
export function bytesWanted(element) {
  const bits = bitsAPixel(element);
  if (bits === null) return Infinity;
  const { width, height } = readPhotoHeader(element.stream);
  return Math.floor((bits * width * height) / 8);
}

export class PhotoPainting {
  #stream = new PhotoStream();
  #host;
  #bytes = new Uint8Array(0);
  #isWhole = false;
  #shown = { length: 0, isFinal: false, isRough: false, width: 0, height: 0, size: { width: 0, height: 0 } };
  #parsed = { bytes: 0, ms: 0 };
  #isBusy = false;
  #isCorrecting = false;
  /** How many bytes are corrected where they are in view. */
  #inView = 0;
  #isClosed = false;
  #resized;

  /**
   * `host`: its `element` and `frame`; `hasMore`: whether more of the same stream is on the screen;
   * `settle(picture, isLast)`, `takeRaster(url)` and `fail(error)` are told.
   */
  constructor(host) {
    this.#host = host;
    this.#resized = new ResizeObserver(() => this.#run());
    this.#resized.observe(host.element);
  }

  /** The prefix that is here; whether more of it is on its way. */
  show(bytes, isWhole) {
    if (!isWhole && bytes.length < LONGEST_BYTES) return;
    if (this.#bytes.length === 0) {
      const { width, height } = readPhotoHeader(bytes);
      this.#host.frame.takeAspect(width / height, width);
    }
    this.#bytes = bytes;
    this.#isWhole = isWhole;
    this.#run();
  }

  close() {
    this.#isClosed = true;
    this.#resized.disconnect();
    this.#stream.close();
  }

  async #run() {
    if (this.#isBusy) {
      if (this.#isCorrecting && !this.#next()?.within) this.#stream.interrupt();
      return;
    }
    this.#isBusy = true;
    try {
      for (let wish = this.#next(); wish && !this.#isClosed; wish = this.#next()) {
        const { length, isDraft, within = null } = wish;
        this.#isCorrecting = within !== null;
        const picture = await this.#stream.paint(this.#bytes, wish);
        this.#isCorrecting = false;
        if (this.#isClosed) return;
        if (picture === null) continue;
        if (within) this.#inView = length;
        else this.#measure(picture);
        this.#shown = picture;
        const isAll = !isDraft && length === this.#bytes.length;
        this.#host.settle(picture, isAll && !picture.isRough);
        if (this.#isTooSlow) this.#takeRaster();
      }
    } catch (error) {
      // without WebAssembly, or for what has no decoder here, the service may
      const isDamaged = error instanceof StreamError && !(error instanceof UnpaintableError);
      if (this.#isClosed || (!isDamaged && this.#takeRaster())) return;
      this.close();
      this.#host.fail(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** What is to be painted now: null where nothing new is. */
  #next() {
    const here = this.#bytes.length;
    const before = this.#shown.length;
    const { width, height } = this.#host.frame.pixels;
    const need = { width: Math.max(width, LEAST_PIXELS), height: Math.max(height, LEAST_PIXELS) };
    if (here > before) {
      if (!this.#isWhole && here < Math.max(FIRST_BYTES, 2 * before)) return null;
      const most = before === 0 ? FIRST_BYTES : Math.max(2 * before, before + STEP_BYTES);
      // whoever asks for fewer bytes than before does not want to see fewer still
      const length = before === 0 && this.#host.hasMore ? here : Math.min(here, most);
      return { length, need, isDraft: !this.#isWhole || length < here };
    }
    const { isFinal, isRough, size } = this.#shown;
    const isLarger = ["width", "height"].some((side) => {
      return this.#shown[side] < Math.min(need[side], size[side]);
    });
    if (!this.#isWhole || before === 0 || (isFinal && !isLarger)) return null;
    const wish = { length: before, need, isDraft: false };
    return isRough && !isLarger ? { ...wish, ...this.#visible(before) } : wish;
  }

  /** The part of the height that is to be corrected now. */
  #visible(length) {
    const { top, bottom, height } = this.#host.element.getBoundingClientRect();
    const within = [Math.max(0, -top / height), Math.min(1, (innerHeight - top) / height)];
    const isAway = bottom <= 0 || top >= innerHeight;
    return { within: isAway || this.#inView === length ? WHOLE : within, isAway };
  }

  /** Let the service paint the photo, where it is the service's; whether it is. */
  #takeRaster() {
    const { element, frame } = this.#host;
    const url = rasterOf(element.src, frame.pixels.width, element.budget, bitsAPixel(element));
    if (url === null) return false;
    this.close();
    this.#host.takeRaster(url);
    return true;
  }

  #measure({ length, tookMs }) {
    this.#parsed.bytes += length - this.#shown.length;
    this.#parsed.ms += tookMs;
  }

  /** Whether the network has been quicker than the decoder, by more than anybody waits. */
  get #isTooSlow() {
    const { bytes, ms } = this.#parsed;
    if (!this.#isWhole || bytes < STEP_BYTES) return false;
    return ((this.#bytes.length - this.#shown.length) * ms) / bytes > PATIENCE_MS;
  }
}
