/**
 * What photos begin with, from the text of `python -m models.export.browser`: coded by the codec's
 * own coder, each number by adaptive models that its neighbours choose. `models/export/photo_models.py`
 * writes it, and says the rules.
 */

import { Photo } from "./photo";
import { decide, resume } from "./range_decoder";
import { WIDE_MODELS, WIDE_SIGNS, adapt, at, begin, shareOf } from "./scan";

const GROUPS: i32 = 90;
const ROW: i32 = 971;
/** A group's row: mixed, flags, empty, signs, fine. */
const PARTS = 5;
const FIRST_OF_HALVES: i32 = 891;
/** Of a wide row mixed contexts and signs are not told here. */
const MIXED_END: i32 = 770;
const SIGNS_FIRST: i32 = 891;
const SIGNS_END: i32 = 932;
const RANKS: i32 = 10;
const CHANNEL: i32 = 30;
const ORIENTS: i32 = 3;
/** How often contexts count as seen that groups share. */
const SHARED_SEEN: i32 = 10;
const MOST: i32 = 5;
const FEW: i32 = 2;
const UNKNOWN: i32 = 128;
const STEP: i32 = 22;
const STRETCH_LIMIT: i32 = 2815;
const TOTAL: i32 = 65536;
const LEAST: i32 = 24;
const HALF: i32 = (1 << 21) << 8;
/** Models: of classes 0, of the last class, of the two bits of others; of counts; of numbers. */
const LAST: i32 = 108;
const HIGH: i32 = 216;
const LOW: i32 = 252;
const IS_USUAL: i32 = 324;
const SYMBOLS: i32 = 326;
const ONES: i32 = 338;
const NUMBERS: i32 = 530;
const NODES: i32 = 168;
const ACTIVITIES: i32 = 7;
/** Numbers: of logits by class and activity; of parts, of what a count leaves, of changes. */
const USUAL: i32 = MOST * ACTIVITIES;
const REST: i32 = USUAL + 1;
const CHANGE: i32 = REST + 2;
const SIZES: i32 = 6;
const MODELS: i32 = NUMBERS + (CHANGE + SIZES) * NODES;

let models: usize = 0;
let stretch: usize = 0;
let squash: usize = 0;

/**
 * `photo`: one with rates, stretch and squash, which says the place of a new decoder. `scratch`:
 * i32 [MODELS + PARTS]. Into `seen` and `logits`, u8 [GROUPS, ROW], and `changes`, i32 [count].
 */
export function unpack(
  photo: Photo, data: usize, length: i32, scratch: usize, seen: usize, logits: usize,
  changes: usize, mixing: i32, count: i32, isWide: bool,
): void {
  resume(photo, data, length);
  begin(photo);
  models = scratch;
  stretch = photo.stretch;
  squash = photo.squash;
  for (let n = 0; n < MODELS; n += 1) store<i32>(scratch + (<usize>n << 2), HALF);
  const usuals = scratch + (<usize>MODELS << 2);
  for (let n = 0; n < PARTS; n += 1) store<i32>(usuals + (<usize>n << 2), UNKNOWN);
  for (let group = 0; group < GROUPS; group += 1) {
    let part = usuals - 4;
    let isTold = false;
    let wasUsual = 1;
    for (let n = 0; n < ROW; n += 1) {
      const at = group * ROW + n;
      if (isStart(n)) {
        part += 4;
        isTold = false;
        wasUsual = 1;
      }
      if (isWide && (n < MIXED_END || (n >= SIGNS_FIRST && n < SIGNS_END))) continue;
      const left = n > 0 ? byte(seen, at - 1) : 0;
      const above = group % RANKS > 0 ? byte(seen, at - ROW) : 0;
      const like = group >= CHANNEL ? at - CHANNEL * ROW : group >= RANKS ? at - RANKS * ROW : -1;
      const kind = classOf(left, above, like < 0 ? 0 : byte(seen, like));
      store<u8>(seen + <usize>at, kind);
      let usual = load<i32>(part);
      if (kind <= FEW && !isTold) {
        usual += number(USUAL);
        store<i32>(part, usual);
        isTold = true;
      }
      if (kind == 0) {
        wasUsual = bit(IS_USUAL + wasUsual);
        if (wasUsual) {
          store<u8>(logits + <usize>at, usual);
          continue;
        }
      }
      const west = n > 0 ? byte(logits, at - 1) : UNKNOWN;
      const north = group > 0 ? byte(logits, at - ROW) : UNKNOWN;
      const corner = n > 0 && group > 0 ? byte(logits, at - ROW - 1) : UNKNOWN;
      let guess = min(max(west + north - corner, min(west, north)), max(west, north));
      const other = at - CHANNEL * ROW;
      if (group >= CHANNEL && byte(seen, other) > 0) guess = (3 * guess + byte(logits, other)) >> 2;
      if (kind <= FEW) {
        guess = counted(kind, guess, usual, n < FIRST_OF_HALVES ? 1 : 16);
      } else {
        const activity = 32 - clz(abs(west - north) + abs(north - corner) + abs(west - corner));
        guess += number((kind - 1) * ACTIVITIES + min(activity, ACTIVITIES - 1));
      }
      store<u8>(logits + <usize>at, guess);
    }
  }
  let before = 0;
  for (let n = 0; n < count; n += 1) {
    if (n == mixing) before = 0;
    const change = number(CHANGE + min(32 - clz(before), SIZES - 1));
    store<i32>(changes + (<usize>n << 2), change);
    before = abs(change);
  }
}

function isStart(n: i32): bool {
  return n == 0 || n == 770 || n == 890 || n == 891 || n == 932;
}

/** The logit of a context that was seen a few times, by how many, and how many of them a 1. */
function counted(kind: i32, guess: i32, usual: i32, twice: i32): i32 {
  let symbols = 1;
  for (let n = 0; n < kind; n += 1) symbols = 2 * symbols + bit(SYMBOLS + 4 * kind + symbols);
  let ones = 0;
  const model = ONES + 64 * kind + (guess >> 4) * 4;
  while (ones < symbols && bit(model + min(ones, 3))) ones += 1;
  const likely = (2 * ones * TOTAL + twice * squashed(usual)) / (2 * symbols + twice);
  const x = <i32>load<i16>(stretch + (<usize>(likely >> 4) << 1)) + STEP / 2;
  return (x + STEP * UNKNOWN) / STEP + number(REST + (ones > 0 ? 1 : 0));
}

/** Of 65536, the probability that a logit is. */
function squashed(logit: i32): i32 {
  const place = min(max(STEP * (logit - UNKNOWN) + STRETCH_LIMIT, 0), 2 * STRETCH_LIMIT);
  return load<i32>(squash + (<usize>place << 2));
}

// @ts-ignore: decorator
@inline
function byte(base: usize, at: i32): i32 {
  return <i32>load<u8>(base + <usize>at);
}

function bit(model: i32): i32 {
  const place = models + (<usize>model << 2);
  const found = decide(shareOf(load<i32>(place), LEAST));
  adapt(place, found);
  return found;
}

function classOf(left: i32, above: i32, like: i32): i32 {
  const near = left * (MOST + 1) + above;
  const context = near * 3 + (like == 0 ? 0 : like == MOST ? 2 : 1);
  if (bit(context)) return 0;
  if (bit(LAST + context)) return MOST;
  const high = bit(HIGH + near);
  return 1 + 2 * high + bit(LOW + 2 * near + high);
}

/** A number by its sign and its bits, how many of them first. */
function number(kind: i32): i32 {
  const base = NUMBERS + kind * NODES;
  if (!bit(base)) return 0;
  const isNegative = bit(base + 1);
  let bits = 0;
  while (bit(base + 2 + bits)) bits += 1;
  let size = 1;
  for (let n = 0; n < bits; n += 1) {
    size = 2 * size + bit(base + (size < 8 ? 18 + bits * 8 + size : 152 + bits));
  }
  return isNegative ? -size : size;
}

/** `p << 8 | n` of a part's contexts: i32 [GROUPS, size]. */
export function initialise(
  seen: usize, logits: usize, counts: usize, first: i32, size: i32, out: usize,
): void {
  let to = out;
  for (let group = 0; group < GROUPS; group += 1) {
    for (let at = group * ROW + first, end = at + size; at < end; at += 1, to += 4) {
      store<i32>(to, (squashed(byte(logits, at)) << 14) | byte(counts, byte(seen, at)));
    }
  }
}

/** Each number, in units of `1 << shift`, and the sum `size` places before; the first of `start`. */
export function accumulate(
  from: usize, count: i32, size: i32, shift: i32, start: i32, out: usize,
): void {
  const back = <usize>size << 2;
  for (let n = 0; n < count; n += 1, from += 4, out += 4) {
    store<i32>(out, (load<i32>(from) << shift) + (n < size ? start : load<i32>(out - back)));
  }
}

/**
 * Contexts that groups share, i32 [ORIENTS, all of `sizes`], each moved by its group's level, i32
 * [GROUPS, WIDE_MODELS]; those of signs, i32 [GROUPS / RANKS, WIDE_SIGNS], are of all ranks.
 */
export function widen(
  shared: usize, levels: usize, signs: usize, sizes: usize, mixedOut: usize, signsOut: usize,
): void {
  let all = 0;
  for (let model = 0; model < WIDE_MODELS; model += 1) all += at(sizes, model);
  for (let group = 0; group < GROUPS; group += 1) {
    const kind = group / RANKS;
    let from = shared + (<usize>((kind % ORIENTS) * all) << 2);
    for (let model = 0; model < WIDE_MODELS; model += 1, levels += 4) {
      const level = load<i32>(levels) - UNKNOWN;
      for (let n = 0, size = at(sizes, model); n < size; n += 1, from += 4, mixedOut += 4) {
        store<i32>(mixedOut, (squashed(load<i32>(from) + level) << 14) | SHARED_SEEN);
      }
    }
    from = signs + (<usize>(kind * WIDE_SIGNS) << 2);
    for (let n = 0; n < WIDE_SIGNS; n += 1, from += 4, signsOut += 4) {
      store<i32>(signsOut, (squashed(load<i32>(from)) << 14) | SHARED_SEEN);
    }
  }
}
