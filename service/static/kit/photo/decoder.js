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
import { Network } from "./network.js";
import { Photo } from "./photo.js";
import { unpack } from "./tables.js";

/** Memory of photos whose bytes have all come and are painted: some may be asked for again. */
const KEPT_BYTES = 128 * 2 ** 20;
/** And of all: what waits for its bytes is parsed anew when they come. */
const MOST_BYTES = 2 ** 30;
/** Where finer levels are empty so far, a picture has one of them at most. */
const EMPTY_LEVELS = 1;
/** A lower resolution than that has next to nothing of what a network corrects. */
const CORRECTED_SPLITS = 2;

export class PhotoDecoder {
  #sliceBytes;
  #sliceCells;
  #pause;
  #kernel = null;
  #tables = new Map();
  #networks = new Map();
  /** By key, the one that was used last at the end. */
  #streams = new Map();
  #queue = [];
  #isWorking = false;

  /** Parses `sliceBytes` or corrects `sliceCells` at once, and awaits `pause()` between slices. */
  constructor({ sliceBytes, sliceCells, pause }) {
    this.#sliceBytes = sliceBytes;
    this.#sliceCells = sliceCells;
    this.#pause = pause;
  }

  /** Those of a version, of streams that have networks, or of the others. */
  giveTables(version, stored) {
    this.#kernel ??= WebAssembly.compile(kernelModule());
    const tables = this.#kernel.then((kernel) => unpack(kernel, stored));
    tables.catch(() => {}); // who asks for a picture is told
    this.#tables.set(nameOf({ version, hasNetworks: stored.hasNetworks }), tables);
  }

  /** The synthesis of a version: the code of its kernel, and its weights. */
  giveNetwork(version, { code, weights }) {
    const network = WebAssembly.compile(code).then((module) => new Network(module, weights));
    network.catch(() => {});
    this.#networks.set(version, network);
  }

  /**
   * Take `bytes` of the stream `key`, which follow the `from` that are here, and paint its first
   * `length`. `width` and `height`: pixels that are needed, the picture has as many or more; those
   * of a `draft` may be fewer where all that is finer is zero so far. `within`: the part of its
   * height, [0, 1] for all, that its network corrects; null: what is painted may be rough. What
   * `isAway` is corrected last.
   * Resolves with null where it was interrupted. Rejects with StreamError.
   */
  paint({ key, from, bytes, length: asked, within = null, ...need }) {
    const stream = this.#take(key, from, bytes);
    const length = Math.min(asked, stream.length);
    stream.isInterrupted = false;
    return new Promise((resolve, reject) => {
      this.#queue.push({ key, stream, length, within, ...need, tookMs: 0, resolve, reject });
      this.#work();
    });
  }

  /** Correct no more of a stream: something else is wanted of it. */
  interrupt(key) {
    const stream = this.#streams.get(key);
    if (stream) stream.isInterrupted = true;
  }

  /** Forget a stream. */
  close(key) {
    this.interrupt(key);
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
      const wish = this.#next();
      const { stream } = wish;
      try {
        const isOver = wish.within && stream.isInterrupted;
        const picture = isOver ? null : await this.#slice(wish);
        if (picture || isOver) wish.resolve(picture);
        else this.#queue.push(wish);
      } catch (error) {
        release(stream);
        wish.reject(error);
      }
      if (this.#queue.length > 0) await this.#pause();
    }
    this.#isWorking = false;
  }

  /** What has no picture yet, then what has none of its bytes, then what is rough and in view. */
  #next() {
    const kinds = [
      ({ stream }) => stream.photo === null,
      ({ within }) => !within,
      ({ isAway }) => !isAway,
      () => true,
    ];
    const found = kinds.map((kind) => this.#queue.findIndex(kind)).find((n) => n >= 0);
    return this.#queue.splice(found, 1)[0];
  }

  /** Parse or correct a little; the picture once all that it needs is. */
  async #slice(wish) {
    const { stream, length, within } = wish;
    const began = performance.now();
    stream.photo ??= await this.#open(stream.bytes.subarray(0, length));
    const { photo } = stream;
    const { header } = photo;
    if (photo.bytes < length) {
      endCorrection(stream);
      const end = Math.min(length, Math.max(photo.bytes, header.length) + this.#sliceBytes);
      photo.advance(stream.bytes, end);
      wish.tookMs += performance.now() - began;
      if (photo.bytes < length && !photo.isComplete) return null;
    }
    const splits = splitsFor(photo, wish);
    const isCorrected = header.hasNetworks && splits.painted <= CORRECTED_SPLITS;
    const corrected = isCorrected && within ? await this.#correct(stream, within) : true;
    if (!corrected) return null;
    const { correction } = stream;
    const picture = isCorrected && correction
      ? correction.corrected.paint(splits.painted)
      : photo.paint(splits.painted);
    stream.isDone = !wish.isDraft;
    this.#evict();
    const isRough = isCorrected && !(stream.isExact || correction?.isWhole);
    return {
      ...picture,
      size: { width: header.width, height: header.height },
      symbols: photo.symbols,
      length,
      isRough,
      isFinal: splits.painted === splits.needed && !isRough,
      tookMs: wish.tookMs,
    };
  }

  /** Correct a few rows; whether all that are wanted are. */
  async #correct(stream, within) {
    const { photo } = stream;
    const network = await this.#networks.get(photo.header.version);
    if (!network) throw new StreamError("there is no synthesis network here");
    stream.isExact = !photo.begins(network);
    if (stream.isExact) return true;
    stream.correction ??= new Correction(photo.correct(network, this.#sliceCells));
    return stream.correction.advance(within);
  }

  async #open(bytes) {
    const header = readPhotoHeader(bytes);
    const tables = await this.#tables.get(nameOf(header));
    if (!tables) throw new StreamError(`no decoder here for version ${header.version} of photo`);
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
      if (isTooMuch && !atWork.has(stream)) release(stream);
    }
  }
}

/** What a network has done of a photo: rows of cells that lie together. */
class Correction {
  #from = 0;
  #to = 0;
  #running = null;

  constructor(corrected) {
    this.corrected = corrected;
  }

  get isWhole() {
    return this.#running === null && this.#to - this.#from === this.corrected.rows;
  }

  /** A few rows more; whether all of these parts of the height are corrected. */
  advance([top, bottom]) {
    const { rows } = this.corrected;
    const from = Math.max(0, Math.floor(top * rows));
    const to = Math.min(rows, Math.ceil(bottom * rows));
    this.#running ??= this.#begin(from, to);
    if (!this.#running) return true;
    if (!this.#running.rows.next().done) return false;
    const isFirst = this.#from === this.#to;
    this.#from = isFirst ? this.#running.from : Math.min(this.#from, this.#running.from);
    this.#to = Math.max(this.#to, this.#running.to);
    this.#running = null;
    return from >= this.#from && to <= this.#to;
  }

  /** What is not corrected of these rows, or lies between them and what is. */
  #begin(from, to) {
    const [first, end] = [this.#from, this.#to];
    const part = first === end ? [from, to] : from < first ? [from, first] : [end, to];
    if (part[0] >= part[1]) return null;
    return { from: part[0], to: part[1], rows: this.corrected.run(...part) };
  }
}

function newStream() {
  return {
    bytes: new Uint8Array(0), length: 0, photo: null, isDone: false,
    correction: null, isExact: false, isInterrupted: false,
  };
}

/** Its bytes stay. */
function release(stream) {
  endCorrection(stream);
  stream.photo = null;
}

function endCorrection(stream) {
  stream.correction?.corrected.close();
  stream.correction = null;
  stream.isExact = false;
}

function nameOf({ version, hasNetworks = false }) {
  return `${version} ${hasNetworks}`;
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
