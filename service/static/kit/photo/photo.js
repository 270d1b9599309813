/**
 * One photo's stream: what its prefix decides, and pictures of that. The parse and the inverse
 * wavelet are the kernel's (kernel/*.ts); here is where things lie in its memory.
 */

import { StreamError } from "../core/header.js";
import { CHANNELS, geometryOf, groupOf, once } from "./geometry.js";
import { readPhotoHeader } from "./header.js";
import { PASS, WORDS, newState } from "./state.js";
import { meansOf, stepOf } from "./tables.js";

const PAGE_BYTES = 65536;
/** Bytes of the payload that the kernel is given at once. */
const WINDOW_BYTES = 16384;
const TOP = 8;
const AGES = 3;
const LOW_BACK = 1.230174104914001 / Math.SQRT2;
const HIGH_BACK = 1 / LOW_BACK;

export class Photo {
  #kernel;
  #memory;
  #tables;
  #geometry;
  #end = 1024;
  #state;
  #window;
  #fields = {};
  #parsed = 0;
  #painter = null;

  /** Of the header of a prefix; `module`: the compiled kernel. Rejects with StreamError. */
  static async open(module, tables, bytes) {
    const header = readPhotoHeader(bytes);
    if (header.hasNetworks) throw new StreamError("there is no synthesis network here");
    if (header.version !== tables.version) {
      throw new StreamError(`version ${header.version} is not ${tables.version}`);
    }
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    return new Photo(exports, memory, tables, header);
  }

  constructor(kernel, memory, tables, header) {
    this.header = header;
    this.symbols = 0;
    this.#kernel = kernel;
    this.#memory = memory;
    this.#tables = tables;
    this.#geometry = geometryOf(header, header.order, tables);
    this.#layOut();
  }

  /** Sides after 0 .. all of the splits. */
  get sizes() {
    return this.#geometry.sizes;
  }

  /** Bytes of memory that it holds. */
  get size() {
    return this.#memory.buffer.byteLength;
  }

  /** Bytes of the stream that were taken. */
  get bytes() {
    return this.header.length + this.#parsed;
  }

  /** Whether every pass is decided: more bytes mean nothing. */
  get isComplete() {
    return this.#words(this.#state, WORDS)[PASS] === this.#fields.passCount;
  }

  /** Whether a level (1 is the finest) has anything but zeros. */
  isFound(level) {
    const active = new Uint8Array(this.#memory.buffer, this.#fields.active);
    const { bands, flagCount } = this.#geometry;
    return bands.some((band) => {
      if (band.level !== level) return false;
      return [0, 1, 2].some((channel) => active[channel * flagCount + band.flagsAt - 1]);
    });
  }

  /** Take a prefix up to `limit` bytes, longer than the last; symbols decided so far. */
  advance(bytes, limit = bytes.length) {
    const start = this.header.length;
    const end = Math.min(limit, bytes.length) - start;
    // at least once: a header alone decides symbols that are certain
    for (let isFirst = this.symbols === 0; isFirst || this.#parsed < end; isFirst = false) {
      const from = this.#parsed;
      const to = Math.min(end, from + WINDOW_BYTES);
      const window = new Uint8Array(this.#memory.buffer, this.#window, WINDOW_BYTES);
      window.set(bytes.subarray(start + from, start + to));
      this.symbols = this.#kernel.advance(this.#state, this.#window - from, to);
      this.#parsed = to;
    }
    return this.symbols;
  }

  /** The picture of what is decided, after so many splits: { width, height, rgba }. */
  paint(splits = 0) {
    const levels = this.sizes.length - 1;
    const left = Math.min(splits, levels);
    const { width, height } = this.sizes[left];
    const stride = (width + 7) & ~7;
    const painter = this.#paintersPlaces(stride * height * 4, width * height * 4, stride);
    const { planes, spare, axes, out } = painter;
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      this.#synthesise(painter, channel, left, planes[channel], spare);
    }
    const gain = this.#gain(left);
    const colours = this.#tables.colours.map((part) => part / 2 ** 14 / gain);
    new Float32Array(this.#memory.buffer, axes, colours.length).set(colours);
    this.#kernel.mix(...planes, stride, height, width, axes, out);
    const rgba = new Uint8ClampedArray(this.#memory.buffer, out, 4 * width * height).slice();
    return { width, height, rgba };
  }

  /** `known` and `negative` of the kernel, band after band; for tests. */
  coefficients() {
    const { coefficients } = this.#geometry;
    const { buffer } = this.#memory;
    return {
      known: new Int32Array(buffer, this.#fields.known, CHANNELS * coefficients).slice(),
      negative: new Uint8Array(buffer, this.#fields.negative, CHANNELS * coefficients).slice(),
    };
  }

  #layOut() {
    const { bands, blocks, passes, coefficients, flagCount } = this.#geometry;
    this.#state = this.#allocate(4 * WORDS);
    this.#window = this.#allocate(WINDOW_BYTES);
    const arrays = {
      bands: Int32Array.from(bands.flatMap((band) => Object.values(band))),
      blocks,
      passes,
      ...this.#tables.models,
      ...this.#tables.fixed,
    };
    const fields = this.#fields;
    for (const [name, array] of Object.entries(arrays)) fields[name] = this.#place(array);
    fields.passCount = passes.length / 5;
    fields.coefficients = coefficients;
    fields.flagCount = flagCount;
    fields.known = this.#allocate(4 * CHANNELS * coefficients);
    // the kernel looks at four at once, and past the last of them
    fields.negative = this.#allocate(CHANNELS * coefficients + 16);
    fields.active = this.#allocate(CHANNELS * flagCount);
    this.#words(this.#state, WORDS).set(newState(fields));
  }

  #words(at, length) {
    return new Int32Array(this.#memory.buffer, at, length);
  }

  /** An address of zeros. */
  #allocate(bytes) {
    const at = (this.#end + 15) & ~15;
    this.#end = at + bytes;
    this.#grow(this.#end);
    return at;
  }

  #grow(end) {
    const pages = Math.ceil(end / PAGE_BYTES) - this.#memory.buffer.byteLength / PAGE_BYTES;
    if (pages > 0) this.#memory.grow(pages);
  }

  #place(array) {
    const at = this.#allocate(array.byteLength);
    new array.constructor(this.#memory.buffer, at, array.length).set(array);
    return at;
  }

  /** Behind everything else, and not kept between pictures but for the means. */
  #paintersPlaces(planeBytes, pictureBytes, stride) {
    this.#painter ??= this.#placeMeans();
    const painter = this.#painter;
    const end = this.#end;
    painter.steps = this.#allocate(4 * CHANNELS);
    painter.axes = this.#allocate(4 * CHANNELS * CHANNELS);
    painter.scratch = this.#allocate(16 * stride + 256);
    painter.planes = [0, 1, 2].map(() => this.#allocate(planeBytes));
    painter.spare = this.#allocate(planeBytes);
    painter.out = this.#allocate(pictureBytes + 16);
    this.#end = end;
    return painter;
  }

  #placeMeans() {
    const { bands } = this.#geometry;
    const planes = TOP + bands[0].level + 1;
    const { order } = this.header;
    const means = once(this.#tables, `means ${planes} ${order}`, () => {
      return this.#meansOfAll(bands, planes, order);
    });
    return { means: this.#place(means), bandBytes: 4 * AGES * planes };
  }

  #meansOfAll(bands, planes, order) {
    const means = new Float32Array(CHANNELS * bands.length * planes * AGES);
    let at = 0;
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      for (const { level, orientation } of bands) {
        for (let plane = 0; plane < planes; plane += 1, at += AGES) {
          const group = groupOf(channel, level, orientation, plane, this.#tables.usual);
          means.set(meansOf(this.#tables, order, group), at);
        }
      }
    }
    return means;
  }

  /** A channel's plane into `plane`, by turns with `spare`. */
  #synthesise({ means, bandBytes, steps, scratch }, channel, splits, plane, spare) {
    const { bands, sizes } = this.#geometry;
    const levels = sizes.length - 1;
    const meansAt = (band) => means + (channel * bands.length + band) * bandBytes;
    const stepAt = (band) => stepOf(this.#tables, this.header.order, channel, bands[band]);
    let [now, next] = (levels - splits) % 2 ? [spare, plane] : [plane, spare];
    let stride = (sizes[levels].width + 7) & ~7;
    this.#kernel.dequantise(this.#state, channel, 0, stepAt(0), meansAt(0), now, stride);
    for (let level = levels; level > splits; level -= 1) {
      const first = 1 + 3 * (levels - level);
      const { width, height } = sizes[level - 1];
      const [lowAcross, highAcross] = width > 1 ? [LOW_BACK, HIGH_BACK] : [1, 1];
      const [lowDown, highDown] = height > 1 ? [LOW_BACK, HIGH_BACK] : [1, 1];
      new Float32Array(this.#memory.buffer, steps, CHANNELS).set([
        stepAt(first) * highAcross * lowDown,
        stepAt(first + 1) * lowAcross * highDown,
        stepAt(first + 2) * highAcross * highDown,
      ]);
      const wider = (width + 7) & ~7;
      this.#kernel.synthesise(
        this.#state, channel, first, now, stride, lowAcross * lowDown,
        steps, meansAt(first), bandBytes, next, wider, scratch,
      );
      [now, next, stride] = [next, now, wider];
    }
  }

  /** What a still picture's samples are too large by: sqrt 2 for each side that was halved. */
  #gain(splits) {
    const halved = this.sizes.slice(0, splits);
    return 2 ** (halved.reduce((sum, { width, height }) => sum + (width > 1) + (height > 1), 0) / 2);
  }
}
