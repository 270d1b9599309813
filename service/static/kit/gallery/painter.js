/** Prefixes of one picture onto a canvas, the one that was asked for last; none is waited for. */

import { decode } from "../index.js";

const PHOTO = 16;
/** Pixels a side of what is a thumbnail, and across what is made of it. */
const SMALL = 64;
const LARGE = 640;

export class Painter {
  #canvas;
  #wanted = null;
  #isBusy = false;
  #photo = null;
  #length = 0;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  /** Another picture. */
  renew() {
    this.#photo?.close();
    this.#photo = null;
    this.#wanted = null;
  }

  /** Resolves with the picture { width, height, rgba } once it is shown, null where a later one is. */
  async show(prefix, need, aspect) {
    const wish = { prefix, need };
    this.#wanted = wish;
    this.#photo?.interrupt();
    while (this.#isBusy) await this.#isBusy;
    if (wish !== this.#wanted) return null;
    const work = this.#paint(wish);
    this.#isBusy = work.catch(() => {});
    let correcting = false;
    try {
      const picture = await work;
      if (this.#wanted === null) return null;
      this.#put(picture, aspect ?? picture.aspect);
      if (picture.isRough && wish === this.#wanted) correcting = this.#correct(wish, aspect);
      return picture;
    } finally {
      this.#isBusy = correcting;
    }
  }

  /** What its network makes of a photo, unless something else is wanted by then. */
  async #correct(wish, aspect) {
    const { prefix, need } = wish;
    try {
      const picture = await this.#photo.paint(prefix, { need, within: [0, 1] });
      if (picture && wish === this.#wanted) this.#put(picture, aspect ?? picture.aspect);
    } catch {
      // the closed form stays
    } finally {
      this.#isBusy = false;
    }
  }

  async #paint({ prefix, need }) {
    if (prefix[0] >> 3 !== PHOTO) return decode(prefix);
    const { PhotoStream } = await import("../photo/photos.js");
    if (prefix.length < this.#length) {
      this.#photo?.close();
      this.#photo = null;
    }
    this.#photo ??= new PhotoStream();
    this.#length = prefix.length;
    return this.#photo.paint(prefix, { need });
  }

  #put({ width, height, rgba }, aspect) {
    const source = new OffscreenCanvas(width, height);
    source.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
    put(this.#canvas, source, width, height, aspect);
  }
}

/** Draw a picture; of a thumbnail a large one, since browsers enlarge canvases in a hurry. */
export function put(canvas, source, width, height, aspect) {
  const isSmall = Math.max(width, height) < SMALL;
  const across = isSmall ? LARGE : width;
  const down = isSmall ? Math.round(LARGE / aspect) : height;
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, across, down);
}
