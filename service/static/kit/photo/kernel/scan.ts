/**
 * The parse of FORMAT.md, "Photo codec": pass after pass, block after block, symbol after symbol,
 * in integers alone. It goes on where it stopped, once there are more bytes.
 */

import { BLOCK, BORDER, Band, Photo, bandOf } from "./photo";
import { UNDECIDED, decide, resume, suspend } from "./range_decoder";

const PASS_BYTES: usize = 20;
const BLOCK_BYTES: usize = 8;
const REFINEMENT: i32 = 1;
/** Contexts of a group, and where each that is mixed begins: five, or eight of a wide stream. */
const CONTEXTS: i32 = 770;
const WIDE_CONTEXTS: i32 = 1642;
const CONTEXTS_1: i32 = 169;
const CONTEXTS_2: i32 = 290;
const CONTEXTS_3: i32 = 411;
const CONTEXTS_4: i32 = 527;
const CONTEXTS_5: i32 = 770;
const CONTEXTS_6: i32 = 1090;
const CONTEXTS_7: i32 = 1410;
const FLAGS: i32 = 120;
const SIGNS: i32 = 41;
/** Of a wide stream: contexts of signs, where they begin, what is mixed, predictions among that. */
export const WIDE_SIGNS: i32 = 367;
const SIGNS_1: i32 = 41;
const SIGNS_2: i32 = 163;
const SIGNS_3: i32 = 204;
const SIGNS_4: i32 = 245;
const SIGN_INPUTS: i32 = 22;
const SIGN_MODELS: i32 = 5;
const ONE: i32 = 256;
const FINE: i32 = 39;
const SETS: i32 = 4;
const MODELS: i32 = 5;
export const WIDE_MODELS: i32 = 8;
/** In scratch: places of models, what they say; whether a sign's model is of the other sign. */
const HEARD: usize = 32;
const TURNS: usize = 128;
const LARGEST_SUM: i32 = 4095;
const STRETCH_LIMIT: i32 = 2815;
const LEAST_SHARE: i32 = 24;
const LEAST_HALF: i32 = 1024;
const TOTAL: i32 = 65536;
const MOST_SEEN: i32 = 120;
/** From a probability of 22 bits, packed above 8 bits of a count: its first 16, its first 12. */
const TO_SHARE: i32 = 14;
const TO_STRETCH: i32 = 18;

/** Where in a pass the parse is. */
const BEGIN: i32 = 0;
const FLAG: i32 = 1;
const CELL: i32 = 2;
const SIGN: i32 = 3;

let stage: i32 = BEGIN;
let symbols: i32 = 0;
/** The cell that the parse goes on with, or at which it stopped. */
let cell: i32 = 0;

let coarse: usize = 0;
let rates: usize = 0;

/** What all that adapts needs. */
export function begin(photo: Photo): void {
  coarse = photo.coarse;
  rates = photo.rates;
}

/** Take the payload up to `limit` bytes, no shorter than before; symbols decided so far. */
export function advance(photo: Photo, data: usize, limit: i32): i32 {
  resume(photo, data, limit);
  begin(photo);
  stage = photo.stage;
  cell = photo.cell;
  symbols = photo.symbols;
  let number = photo.pass;
  let block = photo.block;
  for (; number < photo.passCount; number += 1) {
    block = codePass(photo, changetype<Pass>(photo.passes + <usize>number * PASS_BYTES), block);
    if (block != DONE) break;
    block = 0;
    cell = 0;
    stage = BEGIN;
  }
  suspend(photo);
  photo.pass = number;
  photo.stage = stage;
  photo.block = block == DONE ? 0 : block;
  photo.cell = cell;
  photo.symbols = symbols;
  return symbols;
}

// @ts-ignore: decorator
@unmanaged
class Pass {
  channel: i32;
  band: i32;
  plane: i32;
  kind: i32;
  group: i32;
}

/** In place of a block's number: the pass is decided whole. */
const DONE: i32 = -1;

/** What the cells of a pass need: set by `codePass`. */
let plane: i32 = 0;
let base: usize = 0;
let negativeBase: usize = 0;
let stride: i32 = 0;
/** To the neighbours along and across, exchanged for orientation 2; to the other two channels. */
let across: i32 = 0;
let down: i32 = 0;
let oneOther: i32 = 0;
let twoOther: i32 = 0;
let parentBase: usize = 0;
let parentStride: i32 = 0;
let mixed: usize = 0;
let weights: usize = 0;
let signs: usize = 0;
let fine: usize = 0;
let stretch: usize = 0;
let squash: usize = 0;
let smooth: usize = 0;
/** What is mixed; of a wide stream also weights of signs, and the level's other orientations. */
let scratch: usize = 0;
let signWeights: usize = 0;
let models: i32 = MODELS;
let oneBase: usize = 0;
let twoBase: usize = 0;
let oneStride: i32 = 0;
let twoStride: i32 = 0;
let oneNegative: usize = 0;
let twoNegative: usize = 0;
let parentNegative: usize = 0;

/** A pass from `first` on (0: from its first block); the block at which it stopped, or DONE. */
function codePass(photo: Photo, pass: Pass, first: i32): i32 {
  const band = bandOf(photo, pass.band);
  const channel = pass.channel;
  const isRefinement = pass.kind == REFINEMENT;
  const flags = photo.active + <usize>(channel * photo.flagCount + band.flagsAt);
  const oneFlag = toOther(channel, photo.flagCount);
  const twoFlag = toLast(channel, photo.flagCount);
  let block = first < band.first ? band.first : first;
  plane = pass.plane;
  const bandFlag = flags - 1;
  if (load<u8>(bandFlag) == 0) {
    if (isRefinement) return DONE;
    const model = photo.empty + (<usize>pass.group << 2);
    const bit = decide(shareOf(load<i32>(model), 1));
    if (bit == UNDECIDED) return block;
    symbols += 1;
    adapt(model, bit);
    if (bit == 0) return DONE;
    store<u8>(bandFlag, 1);
  }
  prepare(photo, pass, band);
  const flagModels = photo.flags + (<usize>(pass.group * FLAGS) << 2);
  for (; block < band.end; block += 1) {
    const place = photo.blocks + <usize>block * BLOCK_BYTES;
    const top = load<i32>(place);
    const left = load<i32>(place, 4);
    const at = flags + <usize>((top / BLOCK + 1) * band.flagsStride + left / BLOCK + 1);
    if (load<u8>(at) == 0) {
      if (isRefinement) continue;
      const context = flagContext(photo, band, at, top, left, oneFlag, twoFlag);
      const model = flagModels + (<usize>context << 2);
      const bit = decide(shareOf(load<i32>(model), 1));
      if (bit == UNDECIDED) {
        stage = FLAG;
        cell = 0;
        return block;
      }
      symbols += 1;
      adapt(model, bit);
      if (bit == 0) continue;
      store<u8>(at, 1);
    }
    const rows = min(BLOCK, band.rows - top);
    const columns = min(BLOCK, band.columns - left);
    const isWhole = isRefinement
      ? refine(top, left, rows, columns)
      : signify(top, left, rows, columns);
    if (!isWhole) return block;
    cell = 0;
    stage = BEGIN;
  }
  return DONE;
}

/** From a place of a channel to that of the lower of the two others; of the higher. */
// @ts-ignore: decorator
@inline
function toOther(channel: i32, size: i32): i32 {
  return channel == 0 ? size : -channel * size;
}

// @ts-ignore: decorator
@inline
function toLast(channel: i32, size: i32): i32 {
  return channel == 2 ? -size : (2 - channel) * size;
}

function prepare(photo: Photo, pass: Pass, band: Band): void {
  const channel = pass.channel;
  const group = pass.group;
  const origin = channel * photo.coefficients + band.offset;
  stride = band.stride;
  base = photo.known + (<usize>origin << 2);
  negativeBase = photo.negative + <usize>origin;
  across = band.orientation == 2 ? stride : 1;
  down = band.orientation == 2 ? 1 : stride;
  oneOther = toOther(channel, photo.coefficients);
  twoOther = toLast(channel, photo.coefficients);
  parentBase = 0;
  if (band.parent > 0) {
    const parent = bandOf(photo, band.parent);
    parentStride = parent.stride;
    const first = channel * photo.coefficients + parent.offset;
    parentBase = photo.known + (<usize>first << 2);
    parentNegative = photo.negative + <usize>first;
  }
  scratch = photo.scratch;
  const isWide = photo.signWeights != 0;
  models = isWide ? WIDE_MODELS : MODELS;
  mixed = photo.mixed + (<usize>(group * (isWide ? WIDE_CONTEXTS : CONTEXTS)) << 2);
  weights = photo.weights + (<usize>(group * SETS * (isWide ? WIDE_MODELS + 1 : MODELS)) << 2);
  signs = photo.signs + (<usize>(group * (isWide ? WIDE_SIGNS : SIGNS)) << 2);
  signWeights = isWide ? photo.signWeights + (<usize>(group * SIGN_INPUTS) << 2) : 0;
  oneBase = 0;
  if (isWide && band.orientation > 0) {
    const o = band.orientation;
    const one = bandOf(photo, pass.band + (o == 1 ? 1 : o == 2 ? -1 : -2));
    const two = bandOf(photo, pass.band + (o == 1 ? 2 : o == 2 ? 1 : -1));
    oneStride = one.stride;
    twoStride = two.stride;
    const first = channel * photo.coefficients + one.offset;
    const second = channel * photo.coefficients + two.offset;
    oneBase = photo.known + (<usize>first << 2);
    twoBase = photo.known + (<usize>second << 2);
    oneNegative = photo.negative + <usize>first;
    twoNegative = photo.negative + <usize>second;
  }
  fine = photo.fine + (<usize>(group * FINE) << 2);
  stretch = photo.stretch;
  squash = photo.squash;
  smooth = photo.smooth;
}

function flagContext(
  photo: Photo,
  band: Band,
  at: usize,
  top: i32,
  left: i32,
  oneFlag: i32,
  twoFlag: i32,
): i32 {
  const line = band.flagsStride;
  let nearby = flag(at - 1) + flag(at + 1) + flag(at - line) + flag(at + line);
  if (nearby < 4) {
    const corners =
      flag(at - line - 1) + flag(at - line + 1) + flag(at + line - 1) + flag(at + line + 1);
    if (corners > 1) nearby += 1;
  }
  let total = 0;
  if (parentBase != 0) {
    const parent = bandOf(photo, band.parent);
    const rows = min(BLOCK / 2, parent.rows - top / 2);
    const columns = min(BLOCK / 2, parent.columns - left / 2);
    for (let y = 0; y < rows; y += 1) {
      let i = parentBase + (<usize>((top / 2 + y + BORDER) * parentStride + left / 2 + BORDER) << 2);
      for (let x = 0; x < columns; x += 1, i += 4) total += load<i32>(i);
    }
  }
  const others = flag(at + oneFlag) + flag(at + twoFlag);
  return (nearby * 8 + min(classOf(total >> plane), 7)) * 3 + others;
}

// @ts-ignore: decorator
@inline
function flag(at: usize): i32 {
  return <i32>load<u8>(at);
}

// @ts-ignore: decorator
@inline
function classOf(sum: i32): i32 {
  return <i32>load<u8>(coarse + <usize>min(sum, LARGEST_SUM));
}

/** Of 65536, a probability `p << 8 | n`. */
// @ts-ignore: decorator
@inline
export function shareOf(packed: i32, least: i32): i32 {
  return min(max(packed >> TO_SHARE, least), TOTAL - least);
}

// @ts-ignore: decorator
@inline
export function adapt(model: usize, bit: i32): void {
  const packed = load<i32>(model);
  const seen = packed & 255;
  const p = packed >> 8;
  const step = <i32>((<i64>((bit << 22) - p) * <i64>load<i32>(rates + (<usize>seen << 2))) >> 16);
  store<i32>(model, ((p + step) << 8) | (seen < MOST_SEEN ? seen + 1 : seen));
}

// @ts-ignore: decorator
@inline
export function at(i: usize, step: i32): i32 {
  return load<i32>(i + (<usize>step << 2));
}

/** Kind 0 in a block from `cell` on; false where the prefix ends, at `cell` and `stage`. */
function signify(top: i32, left: i32, rows: i32, columns: i32): bool {
  const s = stride;
  let number = cell;
  let y = top + number / columns;
  let x = left + number % columns;
  for (const cells = rows * columns; number < cells; number += 1) {
    const place = (y + BORDER) * s + x + BORDER;
    const i = base + (<usize>place << 2);
    if (load<i32>(i) == 0) {
      let bit = 1;
      if (stage != SIGN) {
        bit = mixedSymbol(i, y, x);
        if (bit == UNDECIDED) {
          stage = CELL;
          cell = number;
          return false;
        }
        symbols += 1;
      }
      if (bit != 0) {
        if (!signed(i, negativeBase + <usize>place, y, x)) {
          stage = SIGN;
          cell = number;
          return false;
        }
        stage = CELL;
      }
    }
    x += 1;
    if (x == left + columns) {
      x = left;
      y += 1;
    }
  }
  return true;
}

/** A coefficient four times, and its neighbours. */
// @ts-ignore: decorator
@inline
function ringed(i: usize, s: i32): i32 {
  return 4 * load<i32>(i) + at(i, -1) + at(i, 1) + at(i, -s) + at(i, s);
}

// @ts-ignore: decorator
@inline
function eighth(sum: i32): i32 {
  return min(classOf(sum >> plane), 7);
}

// @ts-ignore: decorator
@inline
function pick(model: i32, context: i32): void {
  store<u32>(scratch + (<usize>model << 2), <u32>(mixed + (<usize>context << 2)));
}

// @ts-ignore: decorator
@inline
function picked(model: i32): usize {
  return <usize>load<u32>(scratch + (<usize>model << 2));
}

/** What `inputs` in scratch make together. */
// @ts-ignore: decorator
@inline
function together(w: usize, inputs: i32): i32 {
  let sum: i64 = 32768;
  for (let k: usize = 0, end = <usize>inputs << 2; k < end; k += 4) {
    sum += <i64>load<i32>(w + k) * <i64>load<i32>(scratch + k, HEARD);
  }
  const dot = <i32>min<i64>(max<i64>(sum >> 16, -STRETCH_LIMIT), STRETCH_LIMIT);
  return load<i32>(squash + (<usize>(dot + STRETCH_LIMIT) << 2));
}

// @ts-ignore: decorator
@inline
function learnAll(w: usize, inputs: i32, error: i32): void {
  for (let k: usize = 0, end = <usize>inputs << 2; k < end; k += 4) {
    store<i32>(w + k, load<i32>(w + k) + ((load<i32>(scratch + k, HEARD) * error + 65536) >> 17));
  }
}

/** Whether a coefficient that is zero so far reaches the plane: predictions, mixed. */
function mixedSymbol(i: usize, y: i32, x: i32): i32 {
  const p = plane;
  const s = stride;
  const west = at(i, -across);
  const east = at(i, across);
  const north = at(i, -down);
  const south = at(i, down);
  const h = west + east;
  const v = north + south;
  const d = at(i, -s - 1) + at(i, -s + 1) + at(i, s - 1) + at(i, s + 1);
  const far = at(i, -2) + at(i, 2) + at(i, -2 * s) + at(i, 2 * s);
  let above = 0;
  let around = 0;
  if (parentBase != 0) {
    const line = parentStride;
    const j = parentBase + (<usize>(((y >> 1) + BORDER) * line + (x >> 1) + BORDER) << 2);
    above = load<i32>(j);
    around = at(j, -1) + at(j, 1) + at(j, -line) + at(j, line);
  }
  const other = at(i, oneOther) + at(i, twoOther);
  const near = 5 * (h + v) + 3 * d;
  const wide = 4 * above + 6 * other;
  const nearClass = classOf(near >> p);
  pick(0, nearClass * 13 + classOf(wide >> p));
  pick(1, CONTEXTS_1 + min(classOf((5 * h) >> p), 10) * 11 + min(classOf((5 * v) >> p), 10));
  pick(
    2,
    CONTEXTS_2 +
      min(classOf((4 * above) >> p), 10) * 11 +
      min(classOf((3 * around + 6 * far) >> p), 10),
  );
  let all = near + wide + far + around;
  pick(3, CONTEXTS_3 + smoothOf(all >> p) * 4 + min(classOf((4 * d) >> p) >> 1, 3));
  const up = p + 1;
  const c = min((d >> up) + (other >> up ? 1 : 0), 2);
  pick(
    4,
    CONTEXTS_4 +
      (((min(west >> up, 2) * 3 + min(east >> up, 2)) * 3 + min(north >> up, 2)) * 3 +
        min(south >> up, 2)) * 3 + c,
  );
  let inputs = models;
  if (signWeights != 0) {
    const one = ringed(i + (<usize>oneOther << 2), s);
    const two = ringed(i + (<usize>twoOther << 2), s);
    let first = 0;
    let second = 0;
    if (oneBase != 0) {
      first = ringed(sideOf(oneBase, oneStride, y, x), oneStride);
      second = ringed(sideOf(twoBase, twoStride, y, x), twoStride);
    }
    const sides = first + second;
    const fifth = min(nearClass >> 1, 4);
    pick(5, CONTEXTS_5 + (eighth(one) * 8 + eighth(two)) * 5 + fifth);
    pick(6, CONTEXTS_6 + (eighth(first) * 8 + eighth(second)) * 5 + fifth);
    all += (sides >> 1) + one + two - 4 * other;
    pick(7, CONTEXTS_7 + smoothOf(all >> p) * 8 + eighth(sides));
    store<i32>(scratch + (<usize>inputs << 2), ONE, HEARD);
    inputs += 1;
  }
  const w = weights + (<usize>(min(nearClass, SETS - 1) * inputs) << 2);
  for (let k = 0; k < models; k += 1) {
    store<i32>(scratch + (<usize>k << 2), heard(picked(k)), HEARD);
  }
  const share = min(max(together(w, inputs), LEAST_SHARE), TOTAL - LEAST_SHARE);
  const bit = decide(share);
  if (bit == UNDECIDED) return UNDECIDED;
  learnAll(w, inputs, (bit << 16) - share);
  for (let k = 0; k < models; k += 1) adapt(picked(k), bit);
  return bit;
}

// @ts-ignore: decorator
@inline
function smoothOf(sum: i32): i32 {
  return <i32>load<u8>(smooth + <usize>min(sum, LARGEST_SUM));
}

/** The same place in another orientation of the level. */
// @ts-ignore: decorator
@inline
function sideOf(base: usize, line: i32, y: i32, x: i32): usize {
  return base + (<usize>((y + BORDER) * line + x + BORDER) << 2);
}

// @ts-ignore: decorator
@inline
function heard(model: usize): i32 {
  return <i32>load<i16>(stretch + (<usize>(load<i32>(model) >> TO_STRETCH) << 1));
}

/** The sign of a coefficient that was just found; false where the prefix does not decide it. */
function signed(i: usize, sign: usize, y: i32, x: i32): bool {
  const west = signAt(i, sign, -across);
  const east = signAt(i, sign, across);
  const north = signAt(i, sign, -down);
  const south = signAt(i, sign, down);
  const flat = clipped(west + east);
  const steep = clipped(north + south);
  const first = signAt(i, sign, oneOther);
  const second = signAt(i, sign, twoOther);
  const context = ((flat * 3 + steep) * 3 + first) * 3 + second;
  let bit: i32;
  if (signWeights == 0) {
    const model = signs + (<usize>abs(context) << 2);
    bit = decide(shareOf(load<i32>(model), LEAST_HALF));
    if (bit == UNDECIDED) return false;
    adapt(model, bit);
    bit ^= context < 0 ? 1 : 0;
  } else {
    say(5, west);
    say(6, east);
    say(7, north);
    say(8, south);
    const a = signAt(i, sign, -down - across);
    const b = signAt(i, sign, -down + across);
    const c = signAt(i, sign, down - across);
    const d = signAt(i, sign, down + across);
    say(9, a);
    say(10, b);
    say(11, c);
    say(12, d);
    const farWest = signAt(i, sign, -2 * across);
    const farEast = signAt(i, sign, 2 * across);
    const farNorth = signAt(i, sign, -2 * down);
    const farSouth = signAt(i, sign, 2 * down);
    say(13, farWest);
    say(14, farEast);
    say(15, farNorth);
    say(16, farSouth);
    let above = 0;
    let ahead = 0;
    let behind = 0;
    if (parentBase != 0) {
      const place = ((y >> 1) + BORDER) * parentStride + (x >> 1) + BORDER;
      const j = parentBase + (<usize>place << 2);
      const own = parentNegative + <usize>place;
      const step = across == 1 ? 2 * (x & 1) - 1 : (2 * (y & 1) - 1) * parentStride;
      above = signAt(j, own, 0);
      ahead = signAt(j, own, step);
      behind = signAt(j, own, -step);
    }
    say(17, above);
    say(18, ahead);
    let side = 0;
    let other = 0;
    let before = 0;
    if (oneBase != 0) {
      let place = (y + BORDER) * oneStride + x + BORDER;
      side = signAt(oneBase + (<usize>place << 2), oneNegative + <usize>place, 0);
      place = (y + BORDER) * twoStride + x + BORDER;
      const j = twoBase + (<usize>place << 2);
      other = signAt(j, twoNegative + <usize>place, 0);
      before = signAt(j, twoNegative + <usize>place, across == 1 ? -twoStride : -1);
    }
    say(19, side);
    say(20, other);
    say(21, before);
    turned(0, 0, context);
    turned(
      1, SIGNS_1, (((west * 3 + east) * 3 + north) * 3 + south) * 3 + clipped(farNorth + farSouth),
    );
    turned(
      2, SIGNS_2,
      ((flat * 3 + above) * 3 + clipped(ahead + behind)) * 3 + clipped(farWest + farEast),
    );
    const both = clipped(west + east - north - south);
    turned(3, SIGNS_3, ((both * 3 + side) * 3 + other) * 3 + before);
    turned(4, SIGNS_4, (((a * 3 + b) * 3 + c) * 3 + d) * 3 + steep);
    const mixture = together(signWeights, SIGN_INPUTS);
    const share = min(max(mixture, LEAST_HALF), TOTAL - LEAST_HALF);
    bit = decide(share);
    if (bit == UNDECIDED) return false;
    learnAll(signWeights, SIGN_INPUTS, (bit << 16) - share);
    for (let k = 0; k < SIGN_MODELS; k += 1) {
      adapt(picked(k), bit ^ load<i32>(scratch + (<usize>k << 2), TURNS));
    }
  }
  symbols += 1;
  store<u8>(sign, bit);
  store<i32>(i, 3 << plane);
  return true;
}

// @ts-ignore: decorator
@inline
function say(input: i32, sign: i32): void {
  store<i32>(scratch + (<usize>input << 2), sign * ONE, HEARD);
}

/** A model of a sign, which is that of the other sign where its context is negative. */
function turned(model: i32, first: i32, context: i32): void {
  const to = scratch + (<usize>model << 2);
  const place = signs + (<usize>(first + abs(context)) << 2);
  const x = heard(place);
  store<u32>(to, <u32>place);
  store<i32>(to, context < 0 ? 1 : 0, TURNS);
  store<i32>(to, context < 0 ? -x : x, HEARD);
}

// @ts-ignore: decorator
@inline
function signAt(i: usize, sign: usize, step: i32): i32 {
  return at(i, step) == 0 ? 0 : 1 - 2 * <i32>load<u8>(sign + <usize>step);
}

// @ts-ignore: decorator
@inline
function clipped(sum: i32): i32 {
  return min(max(sum, -1), 1);
}

/** Kind 1 in a block from `cell` on; false where the prefix ends, at `cell`. */
function refine(top: i32, left: i32, rows: i32, columns: i32): bool {
  const s = stride;
  const p = plane;
  const finer = (1 << (p + 1)) - 1;
  let number = cell;
  let y = top + number / columns;
  let x = left + number % columns;
  for (const cells = rows * columns; number < cells; number += 1) {
    const i = base + (<usize>((y + BORDER) * s + x + BORDER) << 2);
    const was = load<i32>(i);
    if (was != 0 && (was & finer) == 0) {
      const near = (at(i, -1) + at(i, 1) + at(i, -s) + at(i, s)) >> p;
      const older = min(was >> (p + 3), 1) + min(was >> (p + 4), 1);
      const model = fine + (<usize>(older * 13 + classOf(near)) << 2);
      const bit = decide(shareOf(load<i32>(model), LEAST_HALF));
      if (bit == UNDECIDED) {
        stage = CELL;
        cell = number;
        return false;
      }
      symbols += 1;
      adapt(model, bit);
      store<i32>(i, was + ((2 * bit - 1) << p));
    }
    x += 1;
    if (x == left + columns) {
      x = left;
      y += 1;
    }
  }
  return true;
}
