/**
 * The synthesis network of photos, row after row of cells: FORMAT.md, "Networks". A module of its
 * own, in the memory of the photo. Channels of a cell lie together, f32.
 */

const FLOAT: usize = 4;
/** Outputs, and cells, that are worked on at once: the sums of all of them stay in registers. */
const WIDE: i32 = 8;
const HIGH: i32 = 4;
/** Cells whose channels stay in the innermost cache. */
const CHUNK: i32 = 32;
const COEFFICIENTS: i32 = 192;
const LOW: i32 = 3;
const BANDS: i32 = 30;
const BLOCK: i32 = 8;
const LARGEST_GAIN: f32 = 1.5;
const REACH: i32 = 5;
/** Of 16 bits; and what is nothing beside it. */
const LARGEST: f32 = 32767;
const LEAST: f32 = 1e-30;

/** What becomes of sums, beside their bias. */
const ALONE: i32 = 0;
const TOLD: i32 = 1;
const ADDED: i32 = 2;

/** Where a band of cells lies: of the low-pass picture three, then those of levels 3, 2, 1. */
// @ts-ignore: decorator
@unmanaged
class Band {
  at: usize;
  stride: i32;
  rows: i32;
  columns: i32;
  /** Samples a side of a cell. */
  side: i32;
  /** What a sample is counted in: where a pass has not been yet, and where it has. */
  unit: f32;
  visitedUnit: f32;
  /** u8, a block each: where it has been; 0 where that is the same everywhere. */
  visited: usize;
  visitedStride: i32;
}

const BAND_BYTES: usize = 36;

// @ts-ignore: decorator
@unmanaged
class Layer {
  weights: usize;
  scales: usize;
  biases: usize;
  /** Room for i16 [CHUNK, inputs], f32 [CHUNK]. */
  whole: usize;
  inputs: i32;
  outputs: i32;
}

// @ts-ignore: decorator
@inline
function at(base: usize, n: i32): usize {
  return base + (<usize>n << 2);
}

/** A row of cells into `out`, a row of channels. `scratch`: f32 [CHUNK, 384]. */
export function enter(
  layer: Layer, bands: usize, row: i32, width: i32, scratch: usize, out: usize,
): void {
  for (let x = 0; x < width; x += CHUNK) {
    const count = min(CHUNK, (width - x + HIGH - 1) & ~(HIGH - 1));
    take(bands, row, x, count, scratch);
    product(layer, scratch, count, at(out, x * layer.outputs), 0, ALONE);
  }
}

/**
 * A block of a row: `source` is two rows above and two cells before it, `stride` bytes a row.
 * `gains` are f32 [widen.outputs]. `scratch`: f32 [CHUNK, around.inputs + widen.outputs].
 */
export function block(
  around: Layer, widen: Layer, narrow: Layer, gains: usize, source: usize, stride: i32,
  width: i32, scratch: usize, out: usize,
): void {
  const channels = around.inputs;
  const middle = source + 2 * <usize>stride + <usize>(2 * channels) * FLOAT;
  const widened = at(scratch, CHUNK * channels);
  for (let x = 0; x < width; x += CHUNK) {
    const count = min(CHUNK, (width - x + HIGH - 1) & ~(HIGH - 1));
    const place = <usize>(x * channels) * FLOAT;
    look(around, source + place, stride, count, scratch);
    product(widen, scratch, count, widened, gains, TOLD);
    memory.copy(out + place, middle + place, <usize>(count * channels) * FLOAT);
    product(narrow, widened, count, out + place, 0, ADDED);
  }
}

/** A row of channels back into the bands. `scratch`: f32 [CHUNK, layer.outputs]. */
export function leave(
  layer: Layer, bands: usize, row: i32, width: i32, source: usize, scratch: usize,
): void {
  for (let x = 0; x < width; x += CHUNK) {
    const left = width - x;
    const count = min(CHUNK, (left + HIGH - 1) & ~(HIGH - 1));
    product(layer, at(source, x * layer.inputs), count, scratch, 0, ALONE);
    put(bands, row, x, min(count, left), scratch, layer.outputs);
  }
}

/** Each channel's own 5x5 kernel: `weights` f32 [25, channels]. */
function look(layer: Layer, source: usize, stride: i32, count: i32, out: usize): void {
  const cellBytes = <usize>layer.inputs * FLOAT;
  for (let n = 0; n < count; n += 1) {
    for (let part: usize = 0; part < cellBytes; part += 16) {
      let sum = v128.load(layer.biases + part);
      let kernel = layer.weights + part;
      let from = source + <usize>n * cellBytes + part;
      for (let y = 0; y < REACH; y += 1) {
        let place = from;
        for (let x = 0; x < REACH; x += 1) {
          sum = f32x4.add(sum, f32x4.mul(v128.load(place), v128.load(kernel)));
          place += cellBytes;
          kernel += cellBytes;
        }
        from += stride;
      }
      v128.store(out + <usize>n * cellBytes + part, sum);
    }
  }
}

/**
 * Of `count` cells (a multiple of 4), f32 [count, inputs]. Four cells at a time are counted in 15
 * bits of the largest among them, so that sums are of integers: less than a thousandth of a level.
 * `weights`: i16 [outputs / 8, inputs / 2, 8, 2], which `scales` multiply.
 */
function product(
  layer: Layer, source: usize, count: i32, out: usize, gains: usize, kind: i32,
): void {
  const inputBytes = <usize>layer.inputs << 1;
  const outputBytes = <usize>layer.outputs * FLOAT;
  const panelBytes = inputBytes * WIDE;
  const whole = layer.whole;
  const units = whole + <usize>CHUNK * inputBytes;
  for (let n = 0; n < count; n += HIGH) {
    const from = source + <usize>n * inputBytes * 2;
    store<f32>(at(units, n), round(from, HIGH * layer.inputs, whole + <usize>n * inputBytes));
  }
  const zero = i32x4.splat(0);
  let weights = layer.weights;
  for (let o = 0; o < layer.outputs; o += WIDE) {
    const end = weights + panelBytes;
    const bias = at(layer.biases, o);
    const scale = at(layer.scales, o);
    const gain = at(gains, o);
    for (let n = 0; n < count; n += HIGH) {
      let a = whole + <usize>n * inputBytes;
      let b = a + inputBytes;
      let c = b + inputBytes;
      let d = c + inputBytes;
      let a0 = zero;
      let a1 = zero;
      let b0 = zero;
      let b1 = zero;
      let c0 = zero;
      let c1 = zero;
      let d0 = zero;
      let d1 = zero;
      for (let w = weights; w < end; w += 64) {
        let left = v128.load(w);
        let right = v128.load(w, 16);
        let x = v128.load32_splat(a);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(left, x));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(right, x));
        x = v128.load32_splat(b);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(left, x));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(right, x));
        x = v128.load32_splat(c);
        c0 = i32x4.add(c0, i32x4.dot_i16x8_s(left, x));
        c1 = i32x4.add(c1, i32x4.dot_i16x8_s(right, x));
        x = v128.load32_splat(d);
        d0 = i32x4.add(d0, i32x4.dot_i16x8_s(left, x));
        d1 = i32x4.add(d1, i32x4.dot_i16x8_s(right, x));
        left = v128.load(w, 32);
        right = v128.load(w, 48);
        x = v128.load32_splat(a, 4);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(left, x));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(right, x));
        x = v128.load32_splat(b, 4);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(left, x));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(right, x));
        x = v128.load32_splat(c, 4);
        c0 = i32x4.add(c0, i32x4.dot_i16x8_s(left, x));
        c1 = i32x4.add(c1, i32x4.dot_i16x8_s(right, x));
        x = v128.load32_splat(d, 4);
        d0 = i32x4.add(d0, i32x4.dot_i16x8_s(left, x));
        d1 = i32x4.add(d1, i32x4.dot_i16x8_s(right, x));
        a += 8;
        b += 8;
        c += 8;
        d += 8;
      }
      const unit = v128.load32_splat(at(units, n));
      let to = out + <usize>n * outputBytes + (<usize>o << 2);
      settle(to, a0, a1, unit, scale, bias, gain, kind);
      to += outputBytes;
      settle(to, b0, b1, unit, scale, bias, gain, kind);
      to += outputBytes;
      settle(to, c0, c1, unit, scale, bias, gain, kind);
      to += outputBytes;
      settle(to, d0, d1, unit, scale, bias, gain, kind);
    }
    weights = end;
  }
}

/** Of sums, which are whole, by `unit` and `scale`. */
// @ts-ignore: decorator
@inline
function settle(
  to: usize, sum0: v128, sum1: v128, unit: v128, scale: usize, bias: usize, gain: usize, kind: i32,
): void {
  let left = f32x4.mul(f32x4.convert_i32x4_s(sum0), f32x4.mul(unit, v128.load(scale)));
  let right = f32x4.mul(f32x4.convert_i32x4_s(sum1), f32x4.mul(unit, v128.load(scale, 16)));
  left = f32x4.add(left, v128.load(bias));
  right = f32x4.add(right, v128.load(bias, 16));
  if (kind == TOLD) {
    left = f32x4.max(f32x4.mul(left, v128.load(gain)), f32x4.splat(0));
    right = f32x4.max(f32x4.mul(right, v128.load(gain, 16)), f32x4.splat(0));
  } else if (kind == ADDED) {
    left = f32x4.add(left, v128.load(to));
    right = f32x4.add(right, v128.load(to, 16));
  }
  v128.store(to, left);
  v128.store(to, right, 16);
}

/** `count` (a multiple of 8) numbers to 16 bits; the unit in which they then are. */
function round(from: usize, count: i32, out: usize): f32 {
  const end = at(from, count);
  let most = f32x4.splat(0);
  for (let place = from; place < end; place += 16) {
    most = f32x4.max(most, f32x4.abs(v128.load(place)));
  }
  const largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  const unit = max(largest, LEAST) / LARGEST;
  const inverse = f32x4.splat(1 / unit);
  for (let place = from; place < end; place += 32, out += 16) {
    const low = f32x4.nearest(f32x4.mul(v128.load(place), inverse));
    const high = f32x4.nearest(f32x4.mul(v128.load(place, 16), inverse));
    v128.store(out, i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(low), i32x4.trunc_sat_f32x4_s(high)));
  }
  return unit;
}

/** Signed logarithms of cells, then their sizes: f32 [count, 2, 192]. */
function take(bands: usize, row: i32, left: i32, count: i32, out: usize): void {
  memory.fill(out, 0, <usize>(count * 2 * COEFFICIENTS) * FLOAT);
  let first = 0;
  for (let n = 0; n < BANDS; n += 1) {
    const band = changetype<Band>(bands + <usize>n * BAND_BYTES);
    const side = band.side;
    for (let i = 0; i < side; i += 1) {
      const y = row * side + i;
      if (y >= band.rows) break;
      const line = at(band.at, y * band.stride);
      const end = min((left + count) * side, band.columns);
      for (let x = left * side; x < end; x += 1) {
        const sample = load<f32>(at(line, x));
        if (sample == 0) continue;
        const cell = sample / unitOf(band, y, x);
        const size = Mathf.log(1 + Mathf.abs(cell));
        const place = (x / side - left) * 2 * COEFFICIENTS + first + i * side + x % side;
        store<f32>(at(out, place), cell < 0 ? -size : size);
        store<f32>(at(out, place + COEFFICIENTS), size);
      }
    }
    first += side * side;
  }
}

/** What was found, f32 [count, outputs], 192 additions and 189 logarithms of gains, to its place. */
function put(bands: usize, row: i32, left: i32, count: i32, found: usize, outputs: i32): void {
  let first = 0;
  for (let n = 0; n < BANDS; n += 1) {
    const band = changetype<Band>(bands + <usize>n * BAND_BYTES);
    const side = band.side;
    for (let i = 0; i < side; i += 1) {
      const y = row * side + i;
      if (y >= band.rows) break;
      const line = at(band.at, y * band.stride);
      const end = min((left + count) * side, band.columns);
      for (let x = left * side; x < end; x += 1) {
        const place = (x / side - left) * outputs + first + i * side + x % side;
        const from = at(line, x);
        let sample = load<f32>(from);
        if (n >= LOW && sample != 0) {
          const g = load<f32>(at(found, place + COEFFICIENTS - LOW));
          sample *= Mathf.exp(LARGEST_GAIN * Mathf.tanh(g / LARGEST_GAIN));
        }
        store<f32>(from, sample + load<f32>(at(found, place)) * unitOf(band, y, x));
      }
    }
    first += side * side;
  }
}

// @ts-ignore: decorator
@inline
function unitOf(band: Band, y: i32, x: i32): f32 {
  if (band.visited == 0) return band.unit;
  const isVisited = load<u8>(band.visited + <usize>(y / BLOCK * band.visitedStride + x / BLOCK));
  return isVisited ? band.visitedUnit : band.unit;
}
