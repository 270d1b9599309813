/**
 * The parse of FORMAT.md, "Photo codec": pass after pass, block after block, symbol after symbol,
 * in integers alone. It goes on where it stopped, once there are more bytes.
 */

import { BLOCK, BORDER, Band, Photo, bandOf } from "./photo";
import { UNDECIDED, decide, resume, suspend } from "./range_decoder";

const PASS_BYTES: usize = 20;
const BLOCK_BYTES: usize = 8;
const REFINEMENT: i32 = 1;
/** Contexts of a group, and where each of the five that are mixed begins. */
const CONTEXTS: i32 = 770;
const CONTEXTS_1: i32 = 169;
const CONTEXTS_2: i32 = 290;
const CONTEXTS_3: i32 = 411;
const CONTEXTS_4: i32 = 527;
const FLAGS: i32 = 120;
const SIGNS: i32 = 41;
const FINE: i32 = 39;
const SETS: i32 = 4;
const MODELS: i32 = 5;
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
    parentBase = photo.known + (<usize>(channel * photo.coefficients + parent.offset) << 2);
  }
  mixed = photo.mixed + (<usize>(group * CONTEXTS) << 2);
  weights = photo.weights + (<usize>(group * SETS * MODELS) << 2);
  signs = photo.signs + (<usize>(group * SIGNS) << 2);
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
function at(i: usize, step: i32): i32 {
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
        if (!signed(i, negativeBase + <usize>place)) {
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

/** Whether a coefficient that is zero so far reaches the plane: five predictions, mixed. */
// @ts-ignore: decorator
@inline
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
  const m0 = mixed + (<usize>(nearClass * 13 + classOf(wide >> p)) << 2);
  const m1 = mixed +
    (<usize>(CONTEXTS_1 + min(classOf((5 * h) >> p), 10) * 11 + min(classOf((5 * v) >> p), 10)) << 2);
  const m2 = mixed +
    (<usize>(CONTEXTS_2 +
      min(classOf((4 * above) >> p), 10) * 11 +
      min(classOf((3 * around + 6 * far) >> p), 10)) << 2);
  const all = min((near + wide + far + around) >> p, LARGEST_SUM);
  const m3 = mixed +
    (<usize>(CONTEXTS_3 +
      <i32>load<u8>(smooth + <usize>all) * 4 +
      min(classOf((4 * d) >> p) >> 1, 3)) << 2);
  const up = p + 1;
  const c = min((d >> up) + (other >> up ? 1 : 0), 2);
  const m4 = mixed +
    (<usize>(CONTEXTS_4 +
      (((min(west >> up, 2) * 3 + min(east >> up, 2)) * 3 + min(north >> up, 2)) * 3 +
        min(south >> up, 2)) * 3 + c) << 2);
  const w = weights + (<usize>(min(nearClass, SETS - 1) * MODELS) << 2);
  const x0 = heard(m0);
  const x1 = heard(m1);
  const x2 = heard(m2);
  const x3 = heard(m3);
  const x4 = heard(m4);
  const sum =
    <i64>load<i32>(w) * x0 +
    <i64>load<i32>(w, 4) * x1 +
    <i64>load<i32>(w, 8) * x2 +
    <i64>load<i32>(w, 12) * x3 +
    <i64>load<i32>(w, 16) * x4;
  const dot = <i32>min<i64>(max<i64>((sum + 32768) >> 16, -STRETCH_LIMIT), STRETCH_LIMIT);
  const squashed = load<i32>(squash + (<usize>(dot + STRETCH_LIMIT) << 2));
  const share = min(max(squashed, LEAST_SHARE), TOTAL - LEAST_SHARE);
  const bit = decide(share);
  if (bit == UNDECIDED) return UNDECIDED;
  const error = (bit << 16) - share;
  learn(w, <i32>x0, error);
  learn(w + 4, <i32>x1, error);
  learn(w + 8, <i32>x2, error);
  learn(w + 12, <i32>x3, error);
  learn(w + 16, <i32>x4, error);
  adapt(m0, bit);
  adapt(m1, bit);
  adapt(m2, bit);
  adapt(m3, bit);
  adapt(m4, bit);
  return bit;
}

// @ts-ignore: decorator
@inline
function heard(model: usize): i64 {
  return <i64>load<i16>(stretch + (<usize>(load<i32>(model) >> TO_STRETCH) << 1));
}

// @ts-ignore: decorator
@inline
function learn(weight: usize, x: i32, error: i32): void {
  store<i32>(weight, load<i32>(weight) + ((x * error + 65536) >> 17));
}

/** The sign of a coefficient that was just found; false where the prefix does not decide it. */
function signed(i: usize, sign: usize): bool {
  const flat = clipped(signAt(i, sign, -across) + signAt(i, sign, across));
  const steep = clipped(signAt(i, sign, -down) + signAt(i, sign, down));
  const first = signAt(i, sign, oneOther);
  const second = signAt(i, sign, twoOther);
  const context = ((flat * 3 + steep) * 3 + first) * 3 + second;
  const model = signs + (<usize>abs(context) << 2);
  const bit = decide(shareOf(load<i32>(model), LEAST_HALF));
  if (bit == UNDECIDED) return false;
  symbols += 1;
  adapt(model, bit);
  store<u8>(sign, bit ^ (context < 0 ? 1 : 0));
  store<i32>(i, 3 << plane);
  return true;
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
