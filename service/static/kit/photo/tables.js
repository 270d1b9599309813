/**
 * The tables of a version, made ready: FORMAT.md, "Photo tables".
 *
 * A file of them (tables-VERSION-HASH.js, made by `python -m models.export.browser`) holds what
 * gzip packs well: logits as differences from neighbours, `slopes` along planes and orders,
 * `squash` as second differences of its first half; in texts each character is a number.
 */

import { DEEPEST } from "./geometry.js";

/** Contexts of a group, as they stand in its row: mixed, flags, empty, signs, fine. */
const PARTS = [770, 120, 1, 41, 39];
const ROW = 971;
const STRETCH_LIMIT = 2815;
const LOGIT_STEP = 22;
const SEEN = [0, 1, 2, 4, 8, 16];
const LARGEST_SUM = 4095;
const COARSE = [1, 3, 6, 10, 16, 26, 40, 64, 104, 160, 256, 416];
const SMOOTH = [
  1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40, 52, 64, 80, 104, 128, 160, 208, 256, 320, 416,
  512, 640, 832, 1024,
];
/** The character of 0 in a text. */
const ZERO = 72;

/** Ready to be copied into the kernel's memory: `fixed` and `models` by the names in photo.js. */
export function unpack(stored) {
  const squash = unpackSquash(stored.squash);
  const seen = unpackSeen(stored.seen);
  return {
    version: stored.version,
    fixed: fixedOf(squash),
    models: {
      ...modelsOf(unpackLogits(stored, seen), seen, squash),
      weights: Int32Array.from(stored.mixing, (weight) => weight << 4),
    },
    slopes: unpackSlopes(stored.slopes),
    usual: stored.usual,
    step: stored.step,
    scales: stored.scales,
    centroids: stored.centroids,
    colours: stored.colours,
  };
}

/** Signed bytes. */
function numbers(text) {
  return Int8Array.from(text, (letter) => letter.charCodeAt(0) - ZERO);
}

function unpackSquash(text) {
  const squash = new Int32Array(2 * STRETCH_LIMIT + 1);
  let value = 1;
  let step = 0;
  squash[0] = value;
  numbers(text).forEach((change, n) => {
    step += change;
    value += step;
    squash[n + 1] = value;
  });
  for (let n = 0; n < STRETCH_LIMIT; n += 1) squash[2 * STRETCH_LIMIT - n] = 65536 - squash[n];
  return squash;
}

/** Classes of two groups a letter, context after context. */
function unpackSeen(text) {
  const pairs = numbers(text);
  const groups = (2 * pairs.length) / ROW;
  const seen = new Uint8Array(groups * ROW);
  for (let n = 0; n < groups * ROW; n += 1) {
    const group = n % groups;
    const pair = pairs[n >> 1];
    const isSecond = group & 1;
    seen[group * ROW + (n - group) / groups] = isSecond ? pair % SEEN.length : pair / SEEN.length;
  }
  return seen;
}

/** What was seen differs from its neighbours, the rest from what was not seen before it. */
function unpackLogits({ likely, unseen }, seen) {
  const changes = [numbers(unseen), numbers(likely)];
  const taken = [0, 0];
  const next = (kind) => {
    taken[kind] += 1;
    return changes[kind][taken[kind] - 1];
  };
  const logits = new Uint8Array(seen.length);
  for (let row = 0; row < seen.length; row += ROW) {
    let before = 128;
    for (let n = row; n < row + ROW; n += 1) {
      if (seen[n] === 0) {
        before += next(0);
        logits[n] = before;
        continue;
      }
      const left = n > row ? logits[n - 1] : 128;
      const above = row > 0 ? logits[n - ROW] : 128;
      const corner = n > row && row > 0 ? logits[n - ROW - 1] : 128;
      const [low, high] = left < above ? [left, above] : [above, left];
      logits[n] = Math.min(Math.max(left + above - corner, low), high) + next(1);
    }
  }
  return logits;
}

/** [orders, channels, orientations, levels, planes, kinds], differences along orders and planes. */
function unpackSlopes(changes) {
  const slopes = Int16Array.from(changes);
  const [planes, kinds] = [16, 2];
  const order = slopes.length / 3;
  for (let n = kinds; n < slopes.length; n += 1) {
    if (n % (planes * kinds) >= kinds) slopes[n] += slopes[n - kinds];
  }
  for (let n = order; n < slopes.length; n += 1) slopes[n] += slopes[n - order];
  return slopes;
}

function fixedOf(squash) {
  const stretch = new Int16Array(4096);
  let x = 0;
  for (let n = 0; n < stretch.length; n += 1) {
    while (x < 2 * STRETCH_LIMIT && squash[x] < 8 * (2 * n + 1)) x += 1;
    stretch[n] = x - STRETCH_LIMIT;
  }
  return {
    stretch,
    squash,
    rates: Int32Array.from({ length: 256 }, (_, n) => Math.floor(131072 / (2 * n + 3))),
    coarse: classes(COARSE),
    smooth: classes(SMOOTH),
  };
}

function classes(bounds) {
  let found = 0;
  return Uint8Array.from({ length: LARGEST_SUM + 1 }, (_, sum) => {
    while (found < bounds.length && bounds[found] <= sum) found += 1;
    return found;
  });
}

/** The probabilities that a stream begins with, `p << 8 | n`. */
function modelsOf(logits, seen, squash) {
  const likely = Int32Array.from({ length: 256 }, (_, logit) => {
    const place = LOGIT_STEP * (logit - 128) + STRETCH_LIMIT;
    return squash[Math.min(Math.max(place, 0), squash.length - 1)] << 14;
  });
  const groups = logits.length / ROW;
  const parts = PARTS.map((size) => new Int32Array(groups * size));
  for (let group = 0; group < groups; group += 1) {
    let at = group * ROW;
    PARTS.forEach((size, part) => {
      for (let n = group * size; n < (group + 1) * size; n += 1, at += 1) {
        parts[part][n] = likely[logits[at]] | SEEN[seen[at]];
      }
    });
  }
  const [mixed, flags, empty, signs, fine] = parts;
  return { mixed, flags, empty, signs, fine };
}

/** Where in a cell of a group's magnitude the mean lies, in cells: for 1, for 2 and 3, for more. */
export function meansOf({ centroids }, order, group) {
  const at = 3 * (order * (centroids.length / 9) + group);
  return centroids.slice(at, at + 3).map((place) => place / 256);
}

/** The step of a band. */
export function stepOf({ step, scales }, order, channel, { level, orientation }) {
  const column = orientation === 0 ? 0 : Math.min(level, DEEPEST);
  return (scales[(order * 3 + channel) * (DEEPEST + 1) + column] / 256) * (step / 256);
}
