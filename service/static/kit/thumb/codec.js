/**
 * The embedded codec of FORMAT.md: header, range decoder, parse, closed-form picture.
 *
 * The parse is integers throughout (every number stays under 2^53, so doubles hold them exactly):
 * it finds the same symbols here as on the server. Painting uses floats and may differ by 1.
 */

import { HEADER_BYTES, StreamError, readHeader } from "../core/header.js";

export const SIDE = 32;
export const PIXELS = SIDE * SIDE;
export const COEFFICIENTS = 3 * PIXELS;
export const WIRE_ID = 2;
export const MIDDLE = 128;

const PLANE_CLASSES = 4;
const LAST_PLANE = 11;
const FIRST_CLASS = 10;
const OCTAVE = 16;
const USUAL = 16;
const ACTIVITY_SHIFT = 5;
const TOTAL = 65536;
const WHOLE = 2 ** 32;
const LEAST = 2 ** 24;
const UNDECIDED = -1;
const OFFSETS = [
  [0, -1], [0, 1], [-1, 0], [1, 0], [-1, -1], [-1, 1], [1, -1], [1, 1],
  [0, -2], [0, 2], [-2, 0], [2, 0],
];
const NEIGHBOURS = OFFSETS.length + 2;
const BANDS = [2, 4, 7, 12, 20];
const BANDS_A_CHANNEL = BANDS.length + 1;
/** Numbers that tell the synthesis network how precisely a prefix is known. */
export const KNOWN = 3 * BANDS_A_CHANNEL;

/** Which symbols a payload decides: the number less `low`, its missing bytes as 00 and as FF. */
class RangeDecoder {
  constructor(data, start) {
    this.data = data;
    this.at = start;
    this.smallest = 0;
    this.largest = 0;
    this.width = 1;
    while (this.width < WHOLE) this.take();
  }

  take() {
    const missing = this.at >= this.data.length;
    const byte = missing ? 0 : this.data[this.at];
    this.smallest = this.smallest * 256 + byte;
    this.largest = this.largest * 256 + (missing ? 255 : byte);
    this.width *= 256;
    this.at += 1;
  }

  narrow(start, width) {
    this.smallest -= start;
    this.largest -= start;
    this.width = width;
    while (this.width < LEAST) this.take();
  }

  /** A symbol of frequencies f, TOTAL - f. */
  binary(f) {
    const share = Math.floor(this.width / TOTAL);
    const split = share * f;
    if (this.largest < split) {
      this.narrow(0, split);
      return 0;
    }
    if (this.smallest < split) return UNDECIDED;
    this.narrow(split, this.width - split);
    return 1;
  }

  /** A symbol of frequencies f, f, TOTAL - 2 f. */
  ternary(f) {
    const share = Math.floor(this.width / TOTAL);
    const split = share * f;
    if (this.largest < split) {
      this.narrow(0, split);
      return 0;
    }
    const start = this.largest < 2 * split ? split : 2 * split;
    if (this.smallest < start) return UNDECIDED;
    if (start === split) {
      this.narrow(split, split);
      return 1;
    }
    this.narrow(start, this.width - start);
    return 2;
  }
}

/** What a prefix decides of every coefficient; `plane` is the first plane + 1 where nothing is. */
class Known {
  constructor(tops) {
    this.magnitude = new Int32Array(COEFFICIENTS);
    this.sign = new Int8Array(COEFFICIENTS);
    this.plane = Int8Array.from(tops, (top) => top + 1);
    this.symbols = 0;
  }
}

/** One version of the codec: its tables, made ready. It is never written to, and keeps no state. */
export class Codec {
  /** `tables` are the arrays of FORMAT.md, flat, in C order. */
  constructor(tables) {
    this.version = tables.version;
    this.maximumBytes = tables.maximumBytes;
    this.classes = tables.zero.length / tables.groupCount;
    this.rowCount = tables.significance.length / tables.zero.length;
    this.sizes = Int32Array.from(tables.sizes);
    this.groups = Int32Array.from(tables.groups);
    this.rows = Uint8Array.from(tables.rows);
    this.significance = Uint16Array.from(tables.significance);
    this.refinement = Uint16Array.from(tables.refinement);
    this.escape = tables.escape[0];
    this.zero = Uint8Array.from(tables.zero);
    this.nonzero = Uint8Array.from(tables.nonzero);
    this.tops = Int8Array.from(tables.sizes, firstPlane);
    this.order = priorityOrder(this, tables.priorities);
    [this.neighbours, this.weights] = neighbourhood(tables.weights);
    this.steps = Float64Array.from(tables.steps, (step) => step / 16);
    this.means = Float64Array.from(tables.means, (mean) => mean / 16);
    this.centroids = Float64Array.from(tables.centroids, (place) => place / 256);
    this.colours = Float64Array.from(tables.colours, (part) => part / 2 ** 14);
  }

  /** Index into tables of [groups, classes] of a coefficient at a plane. */
  cell(at, plane) {
    const found = this.sizes[at] - PLANE_CLASSES * plane;
    const size = found < 0 ? 0 : found >= this.classes ? this.classes - 1 : found;
    return this.groups[at] * this.classes + size;
  }

  /** Every symbol that a prefix decides. Throws StreamError where the header is not ours. */
  parse(bytes) {
    const { wireId, version } = readHeader(bytes);
    if (wireId !== WIRE_ID || version !== this.version) {
      throw new StreamError(
        `wire id ${wireId} version ${version} is not prefixel ${this.version} (wire id 2)`,
      );
    }
    if (bytes.length > this.maximumBytes) {
      throw new StreamError(`${bytes.length} bytes are more than ${this.maximumBytes}`);
    }
    const known = new Known(this.tops);
    const { magnitude, sign, plane: planes } = known;
    const { order, tops, zero, nonzero } = this;
    const activity = new Uint8Array(COEFFICIENTS + 1).fill(USUAL);
    const decoder = new RangeDecoder(bytes, HEADER_BYTES);
    for (let entry = 0; entry < order.length; entry += 1) {
      const packed = order[entry];
      const plane = (packed >> 1) & 15;
      const at = packed >> 5;
      const before = magnitude[at];
      if (before > 0 !== (packed & 1) > 0 || planes[at] !== plane + 1) continue;
      const cell = this.cell(at, plane);
      if (before > 0) {
        const symbol = decoder.binary(this.refinement[2 * cell + (before > 1 ? 1 : 0)]);
        if (symbol === UNDECIDED) return known;
        magnitude[at] = 2 * before + 1 - symbol;
        planes[at] = plane;
        known.symbols += 1;
        continue;
      }
      const row = this.activityRow(activity, at);
      const symbol = decoder.ternary(this.significance[cell * this.rowCount + row]);
      if (symbol === UNDECIDED) return known;
      planes[at] = plane;
      known.symbols += 1;
      activity[at] = symbol === 2 ? zero[cell] : nonzero[cell];
      if (symbol === 2) continue;
      magnitude[at] = 1;
      sign[at] = symbol === 0 ? 1 : -1;
      if (plane === tops[at] && !this.escapes(decoder, known, at)) return known;
    }
    return known;
  }

  activityRow(activity, at) {
    const { neighbours, weights, rows } = this;
    let total = 0;
    for (let k = at * NEIGHBOURS, end = k + NEIGHBOURS; k < end; k += 1) {
      total += weights[k] * activity[neighbours[k]];
    }
    return rows[Math.min(total >> ACTIVITY_SHIFT, rows.length - 1)];
  }

  /** A magnitude beyond the first plane; whether all of it was decided. */
  escapes(decoder, known, at) {
    const { magnitude, plane } = known;
    const first = plane[at];
    while (plane[at] < LAST_PLANE) {
      const symbol = decoder.binary(this.escape);
      if (symbol === UNDECIDED) return false;
      known.symbols += 1;
      if (symbol === 1) break;
      plane[at] += 1;
    }
    while (plane[at] > first) {
      const symbol = decoder.binary(TOTAL / 2);
      if (symbol === UNDECIDED) return false;
      known.symbols += 1;
      magnitude[at] = 2 * magnitude[at] + 1 - symbol;
      plane[at] -= 1;
    }
    return true;
  }

  /** The picture at every coefficient's mean: planes R, G, B of levels, unclipped, [3 * 1024]. */
  paint(known) {
    const { magnitude, sign, plane } = known;
    const { steps, means, centroids, colours } = this;
    const values = Float64Array.from(means);
    for (let at = 0; at < COEFFICIENTS; at += 1) {
      const m = magnitude[at];
      if (m === 0) continue;
      const inside = centroids[3 * this.cell(at, plane[at]) + Math.min(m, 3) - 1];
      values[at] += sign[at] * (m + inside) * 2 ** plane[at] * steps[at];
    }
    const turned = new Float64Array(COEFFICIENTS);
    for (let channel = 0; channel < 3; channel += 1) {
      const own = [channel * PIXELS, (channel + 1) * PIXELS];
      inverseTransform(values.subarray(...own), turned.subarray(...own));
    }
    const painted = new Float32Array(COEFFICIENTS);
    for (let b = 0; b < 3; b += 1) {
      const [c0, c1, c2] = [colours[b], colours[3 + b], colours[6 + b]];
      for (let k = 0; k < PIXELS; k += 1) {
        painted[b * PIXELS + k] =
          MIDDLE + c0 * turned[k] + c1 * turned[PIXELS + k] + c2 * turned[2 * PIXELS + k];
      }
    }
    return painted;
  }
}

/** The mean plane of each channel's bands, float [18]: what the synthesis network is told. */
export function precision(known) {
  const sums = new Float64Array(KNOWN);
  for (let at = 0; at < COEFFICIENTS; at += 1) sums[BAND_OF[at]] += known.plane[at];
  return Float32Array.from(sums, (sum, band) => sum / BAND_SIZES[band]);
}

/** Planes R, G, B of levels -> RGBA, rounded (ties to even) and clipped by the array itself. */
export function toRgba(painted) {
  const rgba = new Uint8ClampedArray(4 * PIXELS);
  for (let k = 0; k < PIXELS; k += 1) {
    rgba[4 * k] = painted[k];
    rgba[4 * k + 1] = painted[PIXELS + k];
    rgba[4 * k + 2] = painted[2 * PIXELS + k];
    rgba[4 * k + 3] = 255;
  }
  return rgba;
}

const BAND_OF_FREQUENCY = Array.from({ length: 2 * SIDE }, (_, frequency) => {
  return BANDS.filter((begin) => frequency >= begin).length;
});
const BAND_OF = new Uint8Array(COEFFICIENTS);
for (let at = 0; at < COEFFICIENTS; at += 1) {
  BAND_OF[at] = BANDS_A_CHANNEL * (at >> 10) + BAND_OF_FREQUENCY[((at >> 5) & 31) + (at & 31)];
}
const BAND_SIZES = new Uint16Array(KNOWN);
for (const band of BAND_OF) BAND_SIZES[band] += 1;

function firstPlane(size) {
  return Math.min(Math.max((size - FIRST_CLASS) >> 2, 0), LAST_PLANE);
}

/** All entries as coefficient << 5 | plane << 1 | kind, the highest priority first. */
function priorityOrder(codec, priorities) {
  const cells = codec.zero.length;
  const ceilings = [0, 1].map(() => new Int32Array(COEFFICIENTS).fill(2 ** 30));
  const byKey = new Map();
  let count = 0;
  const add = (key, entry) => {
    const equals = byKey.get(key);
    if (equals) equals.push(entry);
    else byKey.set(key, [entry]);
    count += 1;
  };
  for (let plane = codec.tops.reduce((a, b) => Math.max(a, b)); plane >= 0; plane -= 1) {
    const later = [];
    for (let at = 0; at < COEFFICIENTS; at += 1) {
      if (codec.tops[at] < plane) continue;
      const cell = codec.cell(at, plane);
      const [zeros, nonzeros] = [ceilings[0][at], ceilings[1][at]];
      const key = Math.min(priorities[cell] + 2 * OCTAVE * plane, zeros);
      ceilings[0][at] = key;
      add(key, (at << 5) | (plane << 1));
      if (codec.tops[at] === plane) continue;
      const other = Math.min(priorities[cells + cell] + 2 * OCTAVE * plane, zeros, nonzeros);
      ceilings[1][at] = other;
      later.push(other, (at << 5) | (plane << 1) | 1);
    }
    for (let n = 0; n < later.length; n += 2) add(later[n], later[n + 1]);
  }
  const order = new Int32Array(count);
  let at = 0;
  for (const key of [...byKey.keys()].sort((a, b) => b - a)) {
    order.set(byKey.get(key), at);
    at += byKey.get(key).length;
  }
  return order;
}

/** For every coefficient its 14 neighbours (COEFFICIENTS: outside) and their weights. */
function neighbourhood(byChannel) {
  const near = new Uint16Array(COEFFICIENTS * NEIGHBOURS).fill(COEFFICIENTS);
  const weights = new Uint8Array(COEFFICIENTS * NEIGHBOURS);
  for (let k = 0; k < NEIGHBOURS; k += 1) {
    const isInside = k < OFFSETS.length;
    const down = isInside ? OFFSETS[k][0] : 0;
    const right = isInside ? OFFSETS[k][1] : 0;
    const over = isInside ? 0 : k - OFFSETS.length + 1;
    for (let at = 0; at < COEFFICIENTS; at += 1) {
      const channel = at >> 10;
      const row = ((at >> 5) & 31) + down;
      const column = (at & 31) + right;
      weights[at * NEIGHBOURS + k] = byChannel[channel * NEIGHBOURS + k];
      if (row >= 0 && row < SIDE && column >= 0 && column < SIDE) {
        near[at * NEIGHBOURS + k] = (((channel + over) % 3) * SIDE + row) * SIDE + column;
      }
    }
  }
  return [near, weights];
}

/** BASIS[k * 32 + x]: frequency k at sample x, for the first half of the samples. */
const BASIS = Float64Array.from({ length: PIXELS }, (_, n) => {
  const [k, x] = [n >> 5, n & 31];
  return Math.sqrt((k === 0 ? 1 : 2) / SIDE) * Math.cos((Math.PI * (2 * x + 1) * k) / (2 * SIDE));
});

/**
 * Orthonormal inverse DCT of 32 x 32, rows then columns; what is zero beyond a frequency is left
 * out. Sample 31 - x of an even frequency is that of x, of an odd one its negative.
 */
function inverseTransform(values, out) {
  let rows = 0;
  let columns = 0;
  for (let n = 0; n < PIXELS; n += 1) {
    if (values[n] !== 0) {
      rows = (n >> 5) + 1;
      if ((n & 31) >= columns) columns = (n & 31) + 1;
    }
  }
  const half = SIDE / 2;
  const even = new Float64Array(PIXELS / 2);
  const odd = new Float64Array(PIXELS / 2);
  for (let v = 0; v < rows; v += 1) {
    const sums = v & 1 ? odd : even;
    for (let r = 0; r < half; r += 1) {
      const w = BASIS[v * SIDE + r];
      for (let u = 0; u < columns; u += 1) sums[r * SIDE + u] += w * values[v * SIDE + u];
    }
  }
  for (let r = 0; r < SIDE; r += 1) {
    const from = (r < half ? r : SIDE - 1 - r) * SIDE;
    const sign = r < half ? 1 : -1;
    for (let k = 0; k < half; k += 1) {
      let e = 0;
      let o = 0;
      for (let u = 0; u < columns; u += 2) {
        e += BASIS[u * SIDE + k] * (even[from + u] + sign * odd[from + u]);
        o += BASIS[(u + 1) * SIDE + k] * (even[from + u + 1] + sign * odd[from + u + 1]);
      }
      out[r * SIDE + k] = e + o;
      out[r * SIDE + SIDE - 1 - k] = e - o;
    }
  }
}
