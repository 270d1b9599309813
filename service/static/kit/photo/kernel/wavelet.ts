/**
 * One level of the inverse 9/7 wavelet, from what is known of its bands: FORMAT.md, "Painting".
 *
 * Rows go by with their lifting steps close behind, so that all that is touched stays in the cache.
 * A row is worked on as its low and its high half, each in one piece, then interleaved. Planes are
 * f32 [rows, stride]; a stride is a multiple of 8, and what lies beyond a row's end means nothing.
 */

import { BORDER, Band, Photo, bandOf } from "./photo";

/** Undo the steps D, C, B, A of the analysis, in this order. */
const STEPS_0: f32 = -0.443506852043971;
const STEPS_1: f32 = -0.882911075530934;
const STEPS_2: f32 = 0.052980118572961;
const STEPS_3: f32 = 1.586134342059924;
const FLOATS: i32 = 4;
/** f32 [planes, AGES] a band: where in a cell the mean lies. */
const AGES: i32 = 3;

let target: usize = 0;
let stride: i32 = 0;
let rows: i32 = 0;
let columns: i32 = 0;
let lowRow: usize = 0;
let highRow: usize = 0;

/** Rows `top` to `end` of a band alone, times `step`: where synthesis begins. */
export function dequantise(
  photo: Photo, channel: i32, band: i32, step: f32, means: usize, out: usize, outStride: i32,
  top: i32, end: i32,
): void {
  const shape = bandOf(photo, band);
  for (let y = top; y < end; y += 1) {
    fill(photo, channel, shape, y, step, means, out + (<usize>(y * outStride) << 2));
  }
}

/**
 * `source`, the low-pass picture (to be multiplied by `scale`), and the bands `first` and the two
 * after it become `out`. `steps`: f32 [3], of each band; `means`: f32 [3, meansSize]. Bands that are
 * worked out already are `given`: usize, i32 [3, 2], f32 planes and their strides; 0 for none.
 */
export function synthesise(
  photo: Photo, channel: i32, first: i32, source: usize, sourceStride: i32, scale: f32,
  steps: usize, means: usize, meansBytes: usize, out: usize, outStride: i32, scratch: usize,
  given: usize,
): void {
  const across = bandOf(photo, first);
  const below = bandOf(photo, first + 1);
  const diagonal = bandOf(photo, first + 2);
  target = out;
  stride = outStride;
  columns = across.columns + below.columns;
  rows = across.rows + below.rows;
  // room before each half for the mirrored sample
  lowRow = scratch + 16;
  highRow = lowRow + (<usize>outStride << 1) + 48;
  for (let k = 0; 2 * k < rows + 4; k += 1) {
    if (2 * k < rows) {
      scaled(source + (<usize>(k * sourceStride) << 2), scale, below.columns, lowRow);
      if (given) again(given, k, load<f32>(steps), across.columns, highRow);
      else fill(photo, channel, across, k, load<f32>(steps), means, highRow);
      liftAcross(2 * k);
    }
    if (2 * k + 1 < rows) {
      if (given) {
        again(given + 8, k, load<f32>(steps, 4), below.columns, lowRow);
        again(given + 16, k, load<f32>(steps, 8), diagonal.columns, highRow);
      } else {
        fill(photo, channel, below, k, load<f32>(steps, 4), means + meansBytes, lowRow);
        fill(photo, channel, diagonal, k, load<f32>(steps, 8), means + 2 * meansBytes, highRow);
      }
      liftAcross(2 * k + 1);
    }
    if (rows > 1) {
      liftDown(2 * k, STEPS_0);
      liftDown(2 * k - 1, STEPS_1);
      liftDown(2 * k - 2, STEPS_2);
      liftDown(2 * k - 3, STEPS_3);
    }
  }
}

/** A row of a band that is given. */
function again(given: usize, y: i32, scale: f32, count: i32, out: usize): void {
  scaled(load<usize>(given) + (<usize>(y * load<i32>(given, 4)) << 2), scale, count, out);
}

/** A row of a plane into half a row. */
function scaled(from: usize, scale: f32, count: i32, out: usize): void {
  const factor = f32x4.splat(scale);
  for (let x = 0; x < count; x += FLOATS) {
    const place = <usize>x << 2;
    v128.store(out + place, f32x4.mul(v128.load(from + place), factor));
  }
}

/** A row of a band, each coefficient at the mean of what is known of it. */
function fill(
  photo: Photo, channel: i32, band: Band, y: i32, step: f32, means: usize, out: usize,
): void {
  const origin = channel * photo.coefficients + band.offset + (y + BORDER) * band.stride + BORDER;
  const known = photo.known + (<usize>origin << 2);
  const negative = photo.negative + <usize>origin;
  const isEmpty = load<u8>(photo.active + <usize>(channel * photo.flagCount + band.flagsAt - 1)) == 0;
  const zero = f32x4.splat(0);
  for (let x = 0; x < band.columns; x += FLOATS) {
    const place = <usize>x << 2;
    v128.store(out + place, zero);
    if (isEmpty || !v128.any_true(v128.load(known + place))) continue;
    for (let n = x; n < x + FLOATS; n += 1) {
      const middle = load<i32>(known + (<usize>n << 2));
      if (middle == 0) continue;
      const plane = ctz(middle);
      const cell = middle >> (plane + 1);
      const age = cell == 1 ? 0 : cell < 4 ? 1 : 2;
      const mean = load<f32>(means + (<usize>(plane * AGES + age) << 2));
      const size: f32 = (<f32>cell + mean) * <f32>(1 << plane) * step;
      store<f32>(out + (<usize>n << 2), load<u8>(negative + <usize>n) ? -size : size);
    }
  }
}

/** The two halves into a row of the target. */
function liftAcross(row: i32): void {
  const lows = (columns + 1) >> 1;
  const highs = columns >> 1;
  const out = target + (<usize>(row * stride) << 2);
  if (highs > 0) {
    mirror(highRow, highs);
    lift(lowRow, highRow - 4, highRow, lows, STEPS_0);
    mirror(lowRow, lows);
    lift(highRow, lowRow, lowRow + 4, highs, STEPS_1);
    mirror(highRow, highs);
    lift(lowRow, highRow - 4, highRow, lows, STEPS_2);
    mirror(lowRow, lows);
    lift(highRow, lowRow, lowRow + 4, highs, STEPS_3);
  }
  for (let x = 0; x < lows; x += FLOATS) {
    const place = <usize>x << 2;
    const low = v128.load(lowRow + place);
    const high = v128.load(highRow + place);
    v128.store(out + 2 * place, v128.shuffle<f32>(low, high, 0, 4, 1, 5));
    v128.store(out + 2 * place, v128.shuffle<f32>(low, high, 2, 6, 3, 7), 16);
  }
}

/** The samples before the first and after the last are these themselves: every second is here. */
// @ts-ignore: decorator
@inline
function mirror(half: usize, count: i32): void {
  store<f32>(half - 4, load<f32>(half));
  store<f32>(half + (<usize>count << 2), load<f32>(half + (<usize>(count - 1) << 2)));
}

/** Add `factor` times both neighbours to a row of the target, if there is one. */
function liftDown(row: i32, factor: f32): void {
  if (row < 0 || row >= rows) return;
  const above = row > 0 ? row - 1 : 1;
  const below = row + 1 < rows ? row + 1 : rows - 2;
  lift(lineAt(row), lineAt(above), lineAt(below), columns, factor);
}

// @ts-ignore: decorator
@inline
function lineAt(row: i32): usize {
  return target + (<usize>(row * stride) << 2);
}

function lift(samples: usize, one: usize, other: usize, count: i32, factor: f32): void {
  const by = f32x4.splat(factor);
  for (let x = 0; x < count; x += FLOATS) {
    const place = <usize>x << 2;
    const sum = f32x4.add(v128.load(one + place), v128.load(other + place));
    v128.store(samples + place, f32x4.add(v128.load(samples + place), f32x4.mul(sum, by)));
  }
}

/** Three planes to RGBA, rounded and clipped. `axes`: f32 [3, 3]; `out` has room for 3 pixels more. */
export function mix(
  first: usize, second: usize, third: usize, planeStride: i32, height: i32, width: i32,
  axes: usize, out: usize,
): void {
  for (let y = 0; y < height; y += 1) {
    const line = <usize>(y * planeStride) << 2;
    const to = out + (<usize>(y * width) << 2);
    for (let x = 0; x < width; x += FLOATS) {
      const place = line + (<usize>x << 2);
      const a = v128.load(first + place);
      const b = v128.load(second + place);
      const c = v128.load(third + place);
      const red = sample(a, b, c, axes);
      const green = sample(a, b, c, axes + 4);
      const blue = sample(a, b, c, axes + 8);
      const low = v128.or(red, i32x4.shl(green, 8));
      const high = v128.or(i32x4.shl(blue, 16), i32x4.splat(0xff000000));
      v128.store(to + (<usize>x << 2), v128.or(low, high));
    }
  }
}

// @ts-ignore: decorator
@inline
function sample(a: v128, b: v128, c: v128, axis: usize): v128 {
  const sum = f32x4.add(
    f32x4.add(f32x4.mul(v128.load32_splat(axis), a), f32x4.mul(v128.load32_splat(axis, 12), b)),
    f32x4.add(f32x4.mul(v128.load32_splat(axis, 24), c), f32x4.splat(128.5)),
  );
  return i32x4.min_u(i32x4.trunc_sat_f32x4_u(sum), i32x4.splat(255));
}
