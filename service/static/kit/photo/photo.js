/**
 * One photo's stream: what its prefix decides, and pictures of that. The parse and the inverse
 * wavelet are the kernel's (kernel/*.ts); here is where things lie in its memory.
 */

import { StreamError } from "../core/header.js";
import { Corrected } from "./corrected.js";
import { CHANNELS, TOP, geometryOf, groupOf, once } from "./geometry.js";
import { readPhotoHeader } from "./header.js";
import { LEVELS, begins, precisionOf } from "./precision.js";
import { BLOCK, PASS, WORDS, newState } from "./state.js";
import { FIRST, meansOf, stepOf } from "./tables.js";

const PAGE_BYTES = 65536;
/** Bytes of the payload that the kernel is given at once. */
const WINDOW_BYTES = 16384;
const SCRATCH_BYTES = 256;
/** For what else is small, and a first picture: each time that a memory grows is work. */
const OTHERS = 2 ** 21;
const AGES = 3;
const LOW_BACK = 1.230174104914001 / Math.SQRT2;
const HIGH_BACK = 1 / LOW_BACK;

export class Photo {
  #kernel;
  #memory;
  #tables;
  #geometry;
  #end;
  #state;
  #window;
  #fields = {};
  #parsed = 0;
  #painter = null;

  /** Of the header of a prefix; `module`: the compiled kernel. Rejects with StreamError. */
  static async open(module, tables, prefix) {
    const header = readPhotoHeader(prefix);
    const { version, hasNetworks } = header;
    if (version !== tables.version || hasNetworks !== tables.hasNetworks) {
      throw new StreamError(`version ${version} has other tables`);
    }
    const geometry = geometryOf(header, header.order, tables);
    const { image } = tables;
    const { blocks, passes, coefficients, flagCount } = geometry;
    const bytes = FIRST + image.length + 4 * (blocks.length + passes.length)
      + CHANNELS * (5 * coefficients + flagCount) + OTHERS;
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    return new Photo(exports, memory, tables, header, geometry);
  }

  constructor(kernel, memory, tables, header, geometry) {
    this.header = header;
    this.symbols = 0;
    this.#kernel = kernel;
    this.#memory = memory;
    this.#tables = tables;
    this.#geometry = geometry;
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

  /** Whether so much is known that a network is used. */
  begins(network) {
    return this.header.hasNetworks && begins(this.#known, this.#geometry, network.firstPlane);
  }

  /** What `network` makes of what is decided now; until it is closed nothing else may be painted. */
  correct(network, most) {
    this.#painter ??= this.#placeMeans();
    const begin = this.#end;
    return new Corrected(network, most, {
      memory: this.#memory,
      geometry: this.#geometry,
      known: this.#known,
      stepAt: (channel, band) => this.#stepAt(channel, band),
      allocate: (bytes) => this.#allocate(bytes),
      place: (array) => this.#place(array),
      low: (channel, plane, stride, height) => {
        const end = this.#end;
        const painter = this.#paintersPlaces(4 * stride * height, 0, stride);
        this.#synthesise(painter, channel, LEVELS, plane, painter.spare);
        this.#end = end;
      },
      dequantise: (channel, band, plane, stride, top, end) => {
        this.#dequantise(channel, band, plane, stride, top, end);
      },
      paint: (splits, corrected) => this.paint(splits, corrected),
      close: () => {
        this.#end = begin;
      },
    });
  }

  /** The picture of what is decided, after so many splits: { width, height, rgba }. */
  paint(splits = 0, corrected = null) {
    const levels = this.sizes.length - 1;
    const left = Math.min(splits, levels);
    const { width, height } = this.sizes[left];
    const stride = (width + 7) & ~7;
    const painter = this.#paintersPlaces(stride * height * 4, width * height * 4, stride);
    const { planes, spare, axes, out } = painter;
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      this.#synthesise(painter, channel, left, planes[channel], spare, corrected);
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
    const { image, places } = this.#tables;
    new Uint8Array(this.#memory.buffer, FIRST).set(image);
    this.#end = FIRST + image.length;
    this.#state = this.#allocate(4 * WORDS);
    this.#window = this.#allocate(WINDOW_BYTES);
    const fields = this.#fields;
    Object.assign(fields, places);
    fields.bands = this.#place(Int32Array.from(bands.flatMap((band) => Object.values(band))));
    fields.blocks = this.#place(blocks);
    fields.passes = this.#place(passes);
    fields.passCount = passes.length / 5;
    fields.coefficients = coefficients;
    fields.flagCount = flagCount;
    fields.known = this.#allocate(4 * CHANNELS * coefficients);
    // the kernel looks at four at once, and past the last of them
    fields.negative = this.#allocate(CHANNELS * coefficients + 16);
    fields.active = this.#allocate(CHANNELS * flagCount);
    fields.scratch = this.#allocate(SCRATCH_BYTES);
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
    // at once: each time that it grows is a new buffer
    this.#grow(end + (CHANNELS + 1) * planeBytes + pictureBytes + 16 * stride + 1024);
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

  get #known() {
    const state = this.#words(this.#state, WORDS);
    return precisionOf(this.#geometry, state[PASS], state[BLOCK]);
  }

  #stepAt(channel, band) {
    return stepOf(this.#tables, this.header.order, channel, this.#geometry.bands[band]);
  }

  #meansAt(channel, band) {
    const { means, bandBytes } = this.#painter;
    return means + (channel * this.#geometry.bands.length + band) * bandBytes;
  }

  #dequantise(channel, band, plane, stride, top = 0, end = this.#geometry.bands[band].rows) {
    const [step, means] = [this.#stepAt(channel, band), this.#meansAt(channel, band)];
    this.#kernel.dequantise(this.#state, channel, band, step, means, plane, stride, top, end);
  }

  /** A channel's plane into `plane`, by turns with `spare`. */
  #synthesise({ bandBytes, steps, scratch }, channel, splits, plane, spare, corrected = null) {
    const { sizes } = this.#geometry;
    const levels = sizes.length - 1;
    const from = corrected ? LEVELS : levels;
    let [next, other] = (from - splits) % 2 ? [plane, spare] : [spare, plane];
    let now = corrected ? corrected.low(channel) : other;
    let stride = (sizes[from].width + 7) & ~7;
    if (!corrected) this.#dequantise(channel, 0, now, stride);
    for (let level = from; level > splits; level -= 1) {
      const first = 1 + 3 * (levels - level);
      const { width, height } = sizes[level - 1];
      const [lowAcross, highAcross] = width > 1 ? [LOW_BACK, HIGH_BACK] : [1, 1];
      const [lowDown, highDown] = height > 1 ? [LOW_BACK, HIGH_BACK] : [1, 1];
      const scales = [highAcross * lowDown, lowAcross * highDown, highAcross * highDown];
      const stepped = scales.map((scale, n) => scale * this.#stepAt(channel, first + n));
      new Float32Array(this.#memory.buffer, steps, CHANNELS).set(corrected ? scales : stepped);
      const wider = (width + 7) & ~7;
      this.#kernel.synthesise(
        this.#state, channel, first, now, stride, lowAcross * lowDown, steps,
        this.#meansAt(channel, first), bandBytes, next, wider, scratch,
        corrected ? corrected.bands(channel, level) : 0,
      );
      [now, next, other, stride] = [next, other, next, wider];
    }
  }

  /** What a still picture's samples are too large by: sqrt 2 for each side that was halved. */
  #gain(splits) {
    const halved = this.sizes.slice(0, splits);
    return 2 ** (halved.reduce((sum, { width, height }) => sum + (width > 1) + (height > 1), 0) / 2);
  }
}
