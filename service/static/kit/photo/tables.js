/**
 * The tables of a version, made ready: FORMAT.md, "Photo tables".
 *
 * A file of them (tables-VERSION-HASH.js, made by `python -m models.export.browser`) holds what
 * gzip packs well: `squash` as second differences of its first half; in texts each character is a
 * number. `packed` is coded already: probabilities, mixing weights as differences between groups,
 * slopes as differences along planes and orders.
 */

import { DEEPEST, OCTAVE } from "./geometry.js";
import { newState } from "./state.js";

/** Contexts of a group, as they stand in its row: mixed, flags, empty, signs, fine. */
const PARTS = [770, 120, 1, 41, 39];
const ROW = 971;
const GROUPS = 90;
/** Of mixing weights and slopes: [groups, sets, models], [orders, 3, 4, levels, planes, kinds]. */
const SETS = 4;
const MODELS = 5;
const SLOPES = 3 * 3 * 4 * 6 * 16 * 2;
/** The same where streams have networks: what is told of mixed contexts and signs besides. */
const WIDE_SIZES = [169, 121, 121, 116, 243, 320, 320, 232];
const WIDE_SIGNS = 367;
const SIGN_INPUTS = 22;
const RANKS = 10;
const ORIENTS = 3;
const SHARED_SEEN = 10;
/** For all that unpacking takes; of it, the models (MODELS and PARTS of kernel/unpack.ts). */
const MODEL_PAGES = 16;
const SCRATCH = 8192;
const STRETCH_LIMIT = 2815;
const UNKNOWN = 128;
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

/**
 * Ready to be copied into the memory of a photo: `fixed` and `models` by the names in state.js.
 * `kernel`: compiled.
 */
export async function unpack(kernel, stored) {
  const fixed = fixedOf(unpackSquash(stored.squash));
  return {
    version: stored.version,
    hasNetworks: stored.hasNetworks ?? false,
    fixed,
    ...(await unpackModels(kernel, stored, fixed)),
    usual: stored.usual,
    step: stored.step,
    scales: stored.scales,
    centroids: Float32Array.from(numbers(stored.centroids), (place) => (place + 128) / 256),
    colours: stored.colours,
  };
}

/** Signed bytes. */
function numbers(text) {
  const found = new Int8Array(text.length);
  for (let n = 0; n < found.length; n += 1) found[n] = text.charCodeAt(n) - ZERO;
  return found;
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

/** [groups, size], differences between groups, in 2^-12. */
function unpackWeights(changes) {
  const size = changes.length / GROUPS;
  const weights = Int32Array.from(changes, (change) => change << 4);
  for (let n = size; n < weights.length; n += 1) weights[n] += weights[n - size];
  return weights;
}

/** Logits of contexts, differences of each to the one before. */
function unpackLogits(changes) {
  let logit = UNKNOWN;
  return changes.map((change) => (logit += change));
}

/**
 * [orders, channels, orientations, levels, planes, kinds], less a bit a plane, differences along
 * orders and planes.
 */
function unpackSlopes(changes) {
  const slopes = Int16Array.from(changes);
  const [planes, kinds] = [16, 2];
  const order = slopes.length / 3;
  for (let n = kinds; n < slopes.length; n += 1) {
    if (n % (planes * kinds) >= kinds) slopes[n] += slopes[n - kinds];
  }
  for (let n = order; n < slopes.length; n += 1) slopes[n] += slopes[n - order];
  return slopes.map((slope, n) => slope + 2 * OCTAVE * (Math.floor(n / kinds) % planes));
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

/** What a stream begins with, probabilities as `p << 8 | n`, and the slopes of its order. */
async function unpackModels(kernel, { packed: text, hasNetworks: isWide = false }, fixed) {
  const { stretch, squash, rates } = fixed;
  const contexts = WIDE_SIZES.reduce((sum, size) => sum + size);
  const mixing = GROUPS * SETS * (isWide ? WIDE_SIZES.length + 1 : MODELS);
  const parts = [mixing, SLOPES];
  if (isWide) {
    parts.push(GROUPS * SIGN_INPUTS, ORIENTS * contexts, GROUPS * WIDE_SIZES.length);
    parts.push((GROUPS / RANKS) * WIDE_SIGNS);
  }
  const count = parts.reduce((sum, size) => sum + size);
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const memory = new WebAssembly.Memory({ initial: MODEL_PAGES });
  const { exports } = await WebAssembly.instantiate(kernel, { env: { memory } });
  let end = 1024;
  const place = (array) => {
    const at = end;
    new array.constructor(memory.buffer, at, array.length).set(array);
    end = (at + array.byteLength + 15) & ~15;
    return at;
  };
  const places = { rates: place(rates), stretch: place(stretch), squash: place(squash) };
  const state = place(newState(places));
  const [data, scratch] = [place(packed), place(new Int32Array(SCRATCH))];
  const [seen, logits] = [place(new Uint8Array(GROUPS * ROW)), place(new Uint8Array(GROUPS * ROW))];
  const changes = place(new Int32Array(count));
  exports.unpack(
    state, data, packed.length, scratch, seen, logits, changes, mixing, count, isWide,
  );
  const models = place(new Int32Array(GROUPS * ROW));
  exports.initialise(seen, logits, place(Uint8Array.from(SEEN)), place(Int32Array.from(PARTS)), models);
  let from = models;
  const next = (size) => {
    from += 4 * size;
    return new Int32Array(memory.buffer, from - 4 * size, size).slice();
  };
  const [mixed, flags, empty, signs, fine] = PARTS.map((size) => next(GROUPS * size));
  from = changes;
  const [weights, slopes, ...others] = parts.map(next);
  const narrow = { mixed, flags, empty, signs, fine, weights: unpackWeights(weights) };
  return {
    models: isWide ? { ...narrow, ...widened(others, squash) } : narrow,
    slopes: unpackSlopes(slopes),
  };
}

/** Contexts that groups share, each moved by its group's level; those of signs; their weights. */
function widened([signMixing, sharedChanges, levelChanges, signChanges], squash) {
  const [shared, levels, signLogits] = [sharedChanges, levelChanges, signChanges].map(unpackLogits);
  const packed = (logit) => {
    const place = LOGIT_STEP * (logit - UNKNOWN) + STRETCH_LIMIT;
    return (squash[Math.min(Math.max(place, 0), 2 * STRETCH_LIMIT)] << 14) | SHARED_SEEN;
  };
  const contexts = shared.length / ORIENTS;
  const mixed = new Int32Array(GROUPS * contexts);
  const signs = new Int32Array(GROUPS * WIDE_SIGNS);
  let [to, sign] = [0, 0];
  for (let group = 0; group < GROUPS; group += 1) {
    const kind = Math.floor(group / RANKS);
    let from = (kind % ORIENTS) * contexts;
    WIDE_SIZES.forEach((size, model) => {
      const level = levels[group * WIDE_SIZES.length + model] - UNKNOWN;
      for (let n = 0; n < size; n += 1) mixed[to++] = packed(shared[from++] + level);
    });
    for (let n = 0; n < WIDE_SIGNS; n += 1) signs[sign++] = packed(signLogits[kind * WIDE_SIGNS + n]);
  }
  return { mixed, signs, signWeights: unpackWeights(signMixing) };
}

/** Where in a cell of a group's magnitude the mean lies, in cells: for 1, for 2 and 3, for more. */
export function meansOf({ centroids }, order, group) {
  const at = 3 * (order * (centroids.length / 9) + group);
  return centroids.subarray(at, at + 3);
}

/** The step of a band. */
export function stepOf({ step, scales }, order, channel, { level, orientation }) {
  const column = orientation === 0 ? 0 : Math.min(level, DEEPEST);
  return (scales[(order * 3 + channel) * (DEEPEST + 1) + column] / 256) * (step / 256);
}
