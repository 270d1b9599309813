/**
 * The probabilities that a stream begins with, from the text of `python -m models.export.browser`:
 * coded by the codec's own coder, each number by adaptive models that its neighbours choose.
 * `models/export/photo_tables.py` writes them, and says the rules.
 */

import { Photo } from "./photo";
import { decide, resume } from "./range_decoder";
import { adapt, begin, shareOf } from "./scan";

const GROUPS: i32 = 90;
const ROW: i32 = 971;
/** A group's row: mixed, flags, empty, signs, fine. */
const PARTS = 5;
const RANKS: i32 = 10;
const CHANNEL: i32 = 30;
const MOST: i32 = 5;
const UNKNOWN: i32 = 128;
const LEAST: i32 = 24;
const HALF: i32 = (1 << 21) << 8;
/** Models: of classes 0, of the last class, of the two bits of others; then of numbers. */
const LAST: i32 = 108;
const HIGH: i32 = 216;
const LOW: i32 = 252;
const NUMBERS: i32 = 324;
const NODES: i32 = 96;
const ACTIVITIES: i32 = 7;
const UNSEEN: i32 = MOST * ACTIVITIES;
export const MODELS: i32 = NUMBERS + (UNSEEN + 2) * NODES;

let models: usize = 0;

/**
 * `photo`: one with rates, which says the place of a new decoder. `scratch`: i32 [MODELS]. Into
 * `seen` and `logits`, u8 [GROUPS, ROW].
 */
export function unpack(
  photo: Photo, data: usize, length: i32, scratch: usize, seen: usize, logits: usize,
): void {
  resume(photo, data, length);
  begin(photo);
  models = scratch;
  for (let n = 0; n < MODELS; n += 1) store<i32>(scratch + (<usize>n << 2), HALF);
  for (let group = 0; group < GROUPS; group += 1) {
    let reference = UNKNOWN;
    let wasUsual = 1;
    let isFirst = true;
    for (let n = 0; n < ROW; n += 1) {
      const at = group * ROW + n;
      if (isStart(n)) isFirst = true;
      const left = n > 0 ? byte(seen, at - 1) : 0;
      const above = group % RANKS > 0 ? byte(seen, at - ROW) : 0;
      const like = group >= CHANNEL ? at - CHANNEL * ROW : group >= RANKS ? at - RANKS * ROW : -1;
      const kind = classOf(left, above, like < 0 ? 0 : byte(seen, like));
      store<u8>(seen + <usize>at, kind);
      let found = 0;
      if (kind == 0) {
        const change = number(UNSEEN + wasUsual);
        wasUsual = change == 0 ? 1 : 0;
        found = reference + change;
        if (isFirst) {
          reference = found;
          isFirst = false;
        }
      } else {
        const west = n > 0 ? byte(logits, at - 1) : UNKNOWN;
        const north = group > 0 ? byte(logits, at - ROW) : UNKNOWN;
        const corner = n > 0 && group > 0 ? byte(logits, at - ROW - 1) : UNKNOWN;
        let guess = min(max(west + north - corner, min(west, north)), max(west, north));
        const other = at - CHANNEL * ROW;
        if (group >= CHANNEL && byte(seen, other) > 0) guess = (3 * guess + byte(logits, other)) >> 2;
        const activity = 32 - clz(abs(west - north) + abs(north - corner) + abs(west - corner));
        found = guess + number((kind - 1) * ACTIVITIES + min(activity, ACTIVITIES - 1));
      }
      store<u8>(logits + <usize>at, found);
    }
  }
}

function isStart(n: i32): bool {
  return n == 0 || n == 770 || n == 890 || n == 891 || n == 932;
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
  while (bits < 7 && bit(base + 2 + bits)) bits += 1;
  let size = 1;
  for (let n = 0; n < bits; n += 1) {
    size = 2 * size + bit(base + (size < 8 ? 10 + bits * 8 + size : 74 + bits));
  }
  return isNegative ? -size : size;
}

/** `p << 8 | n` of every context, part after part: i32 [GROUPS * ROW]. */
export function initialise(
  seen: usize, logits: usize, squash: usize, counts: usize, sizes: usize, out: usize,
): void {
  let to = out;
  let first = 0;
  for (let part = 0; part < PARTS; part += 1) {
    const size = load<i32>(sizes + (<usize>part << 2));
    for (let group = 0; group < GROUPS; group += 1) {
      for (let n = 0; n < size; n += 1, to += 4) {
        const at = group * ROW + first + n;
        const place = min(max(22 * (byte(logits, at) - 128) + 2815, 0), 2 * 2815);
        const likely = load<i32>(squash + (<usize>place << 2)) << 14;
        store<i32>(to, likely | byte(counts, byte(seen, at)));
      }
    }
    first += size;
  }
}
