/**
 * Many photos in this thread, by the tables that it was given: what each prefix decides is kept, so
 * that more bytes go on from there. It fetches nothing, so that a worker is this code alone.
 *
 * Work is in slices, in turns: none waits long for a large one, and what has no picture yet goes
 * first.
 */

import { StreamError } from "../core/header.js";
import { readPhotoHeader } from "./header.js";
import { kernelModule } from "./kernel.js";
import { Photo } from "./photo.js";
import { unpack } from "./tables.js";

/** Memory of photos whose bytes have all come and are painted: some may be asked for again. */
const KEPT_BYTES = 128 * 2 ** 20;
/** And of all: what waits for its bytes is parsed anew when they come. */
const MOST_BYTES = 2 ** 30;
/** Where finer levels are empty so far, a picture has one of them at most. */
const EMPTY_LEVELS = 1;

export class PhotoDecoder {
  #sliceBytes;
  #pause;
  #kernel = null;
  #tables = new Map();
  /** By key, the one that was used last at the end. */
  #streams = new Map();
  #queue = [];
  #isWorking = false;

  /** Parses `sliceBytes` at once, and awaits `pause()` between slices. */
  constructor(sliceBytes, pause) {
    this.#sliceBytes = sliceBytes;
    this.#pause = pause;
  }

  giveTables(version, stored) {
    if (this.#tables.has(version)) return;
    this.#kernel ??= compile();
    const tables = this.#kernel.then((kernel) => unpack(kernel, stored));
    tables.catch(() => {}); // who asks for a picture is told
    this.#tables.set(version, tables);
  }

  /**
   * Take `bytes` of the stream `key`, which follow the `from` that are here, and paint its first
   * `length`. `width` and `height`: pixels that are needed, the picture has as many or more; those
   * of a `draft` may be fewer where all that is finer is zero so far. Rejects with StreamError.
   */
  paint({ key, from, bytes, length: asked, width, height, isDraft }) {
    const stream = this.#take(key, from, bytes);
    const length = Math.min(asked, stream.length);
    return new Promise((resolve, reject) => {
      this.#queue.push({ key, stream, length, width, height, isDraft, tookMs: 0, resolve, reject });
      this.#work();
    });
  }

  /** Forget a stream. */
  close(key) {
    this.#streams.delete(key);
  }

  #take(key, from, bytes) {
    const stream = this.#streams.get(key) ?? newStream();
    this.#streams.delete(key);
    this.#streams.set(key, stream);
    const length = from + bytes.length;
    if (stream.bytes.length < length) {
      const larger = new Uint8Array(Math.max(length, 2 * stream.bytes.length));
      larger.set(stream.bytes.subarray(0, stream.length));
      stream.bytes = larger;
    }
    stream.bytes.set(bytes, from);
    stream.length = length;
    return stream;
  }

  async #work() {
    if (this.#isWorking) return;
    this.#isWorking = true;
    while (this.#queue.length > 0) {
      const unpainted = this.#queue.findIndex(({ stream }) => stream.photo === null);
      const [wish] = this.#queue.splice(Math.max(unpainted, 0), 1);
      try {
        const picture = await this.#slice(wish);
        if (picture) wish.resolve(picture);
        else this.#queue.push(wish);
      } catch (error) {
        wish.stream.photo = null;
        wish.reject(error);
      }
      if (this.#queue.length > 0) await this.#pause();
    }
    this.#isWorking = false;
  }

  /** Parse a little; the picture once all that it needs is parsed. */
  async #slice(wish) {
    const { stream, length } = wish;
    const began = performance.now();
    stream.photo ??= await this.#open(stream.bytes.subarray(0, length));
    const { photo } = stream;
    const end = Math.min(length, Math.max(photo.bytes, photo.header.length) + this.#sliceBytes);
    photo.advance(stream.bytes, end);
    wish.tookMs += performance.now() - began;
    if (photo.bytes < length && !photo.isComplete) return null;
    const splits = splitsFor(photo, wish);
    const picture = photo.paint(splits.painted);
    stream.isDone = !wish.isDraft;
    this.#evict();
    return {
      ...picture,
      size: { width: photo.header.width, height: photo.header.height },
      symbols: photo.symbols,
      length,
      isFinal: splits.painted === splits.needed,
      tookMs: wish.tookMs,
    };
  }

  async #open(bytes) {
    const { version } = readPhotoHeader(bytes);
    const tables = await this.#tables.get(version);
    if (!tables) throw new StreamError(`no decoder here for version ${version} of photo`);
    return Photo.open(await this.#kernel, tables, bytes);
  }

  /** Let go of what was used longest ago and is not at work; its bytes stay. */
  #evict() {
    const atWork = new Set(this.#queue.map(({ stream }) => stream));
    let [all, done] = [0, 0];
    for (const stream of [...this.#streams.values()].reverse()) {
      if (!stream.photo) continue;
      all += stream.photo.size;
      if (stream.isDone) done += stream.photo.size;
      const isTooMuch = all > MOST_BYTES || (stream.isDone && done > KEPT_BYTES);
      if (isTooMuch && !atWork.has(stream)) stream.photo = null;
    }
  }
}

function newStream() {
  return { bytes: new Uint8Array(0), length: 0, photo: null, isDone: false };
}

async function compile() {
  return WebAssembly.compile(kernelModule());
}

/** Most splits that leave as many pixels as are needed, and those that are painted. */
function splitsFor(photo, { width, height, isDraft }) {
  const { sizes } = photo;
  let needed = 0;
  while (
    needed + 1 < sizes.length &&
    sizes[needed + 1].width >= Math.min(width, sizes[0].width) &&
    sizes[needed + 1].height >= Math.min(height, sizes[0].height)
  ) {
    needed += 1;
  }
  let empty = 0;
  while (isDraft && empty + 1 < sizes.length && !photo.isFound(empty + 1)) empty += 1;
  return { needed, painted: Math.max(needed, empty - EMPTY_LEVELS) };
}
