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

/** Contexts of a group, as they stand in its row. */
const PARTS = { mixed: 770, flags: 120, empty: 1, signs: 41, fine: 39 };
const ROW = 971;
const GROUPS = 90;
/** Of mixing weights and slopes: [groups, sets, models], [orders, 3, 4, levels, planes, kinds]. */
const SETS = 4;
const MODELS = 5;
const ORDERS = 3;
const PLANES = 16;
const KINDS = 2;
const SLOPES = ORDERS * 3 * 4 * 6 * PLANES * KINDS;
/** The same where streams have networks: what is told of mixed contexts and signs besides. */
const WIDE_SIZES = [169, 121, 121, 116, 243, 320, 320, 232];
const WIDE_CONTEXTS = 1642;
const WIDE_SIGNS = 367;
const SIGN_INPUTS = 22;
const WIDER = { mixed: WIDE_CONTEXTS, signs: WIDE_SIGNS };
const RANKS = 10;
const ORIENTS = 3;
/** Mixing weights are told in 2^-12, and used in 2^-16. */
const WEIGHT_SHIFT = 4;
/** Below lie the constants of the network's kernel. */
export const FIRST = 2048;
/** For all that unpacking takes; of it, the models (MODELS and PARTS of kernel/unpack.ts). */
const PAGES = 24;
const SCRATCH = 8192;
const STRETCH_LIMIT = 2815;
const UNKNOWN = 128;
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
 * Made ready once: `image` is what the memory of each photo begins with, from `FIRST` on, and
 * `places` where in it the fields of state.js are. `kernel`: compiled.
 */
export async function unpack(kernel, stored) {
  const memory = new WebAssembly.Memory({ initial: PAGES });
  const { exports } = await WebAssembly.instantiate(kernel, { env: { memory } });
  return {
    version: stored.version,
    hasNetworks: stored.hasNetworks ?? false,
    ...unpackModels(exports, new Space(memory), stored),
    usual: stored.usual,
    step: stored.step,
    scales: stored.scales,
    centroids: Float32Array.from(numbers(stored.centroids), (place) => (place + 128) / 256),
    colours: stored.colours,
  };
}

/** Addresses in a memory, one after the other. */
class Space {
  constructor(memory) {
    this.memory = memory;
    this.end = FIRST;
  }

  take(bytes) {
    const at = (this.end + 15) & ~15;
    this.end = at + bytes;
    return at;
  }

  place(array) {
    const at = this.take(array.byteLength);
    new array.constructor(this.memory.buffer, at, array.length).set(array);
    return at;
  }
}

/** Signed bytes. */
function numbers(text) {
  const found = new Int8Array(text.length);
  for (let n = 0; n < found.length; n += 1) found[n] = text.charCodeAt(n) - ZERO;
  return found;
}

function bytesOf(base64) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let n = 0; n < found.length; n += 1) found[n] = text.charCodeAt(n);
  return found;
}

function unpackSquash(text) {
  const squash = new Int32Array(2 * STRETCH_LIMIT + 1);
  const changes = numbers(text);
  let value = 1;
  let step = 0;
  squash[0] = value;
  for (let n = 0; n < changes.length; n += 1) {
    step += changes[n];
    value += step;
    squash[n + 1] = value;
  }
  for (let n = 0; n < STRETCH_LIMIT; n += 1) squash[2 * STRETCH_LIMIT - n] = 65536 - squash[n];
  return squash;
}

/**
 * [orders, channels, orientations, levels, planes, kinds], less a bit a plane, differences along
 * orders and planes.
 */
function unpackSlopes(changes) {
  const slopes = Int16Array.from(changes);
  const order = SLOPES / ORDERS;
  const row = PLANES * KINDS;
  for (let n = 0; n < SLOPES; n += 1) {
    if (n % row >= KINDS) slopes[n] += slopes[n - KINDS];
  }
  for (let n = order; n < SLOPES; n += 1) slopes[n] += slopes[n - order];
  for (let n = 0; n < SLOPES; n += 1) slopes[n] += OCTAVE * (n % row & -KINDS);
  return slopes;
}

function stretchOf(squash) {
  const stretch = new Int16Array(4096);
  let x = 0;
  for (let n = 0; n < stretch.length; n += 1) {
    while (x < 2 * STRETCH_LIMIT && squash[x] < 8 * (2 * n + 1)) x += 1;
    stretch[n] = x - STRETCH_LIMIT;
  }
  return stretch;
}

function ratesOf() {
  const rates = new Int32Array(256);
  for (let n = 0; n < rates.length; n += 1) rates[n] = 131072 / (2 * n + 3);
  return rates;
}

function classes(bounds) {
  const found = new Uint8Array(LARGEST_SUM + 1);
  bounds.forEach((bound, n) => found.fill(n + 1, bound));
  return found;
}

/** What a stream begins with, probabilities as `p << 8 | n`, and the slopes of its order. */
function unpackModels(kernel, space, { squash: text, packed: base64, hasNetworks: isWide = false }) {
  const { buffer } = space.memory;
  const squash = unpackSquash(text);
  const places = {
    squash: space.place(squash),
    stretch: space.place(stretchOf(squash)),
    rates: space.place(ratesOf()),
    coarse: space.place(classes(COARSE)),
    smooth: space.place(classes(SMOOTH)),
  };
  for (const [name, size] of Object.entries(PARTS)) {
    const isTold = isWide && name in WIDER;
    places[name] = space.take(4 * GROUPS * (isTold ? WIDER[name] : size));
  }
  const weights = SETS * (isWide ? WIDE_SIZES.length + 1 : MODELS);
  places.weights = space.take(4 * GROUPS * weights);
  if (isWide) places.signWeights = space.take(4 * GROUPS * SIGN_INPUTS);
  const { end } = space;

  const packed = bytesOf(base64);
  const parts = [GROUPS * weights, SLOPES];
  if (isWide) {
    parts.push(GROUPS * SIGN_INPUTS, ORIENTS * WIDE_CONTEXTS, GROUPS * WIDE_SIZES.length);
    parts.push((GROUPS / RANKS) * WIDE_SIGNS);
  }
  const count = parts.reduce((sum, size) => sum + size);
  const [seen, logits] = [space.take(GROUPS * ROW), space.take(GROUPS * ROW)];
  const changes = space.take(4 * count);
  kernel.unpack(
    space.place(newState(places)), space.place(packed), packed.length, space.take(4 * SCRATCH),
    seen, logits, changes, parts[0], count, isWide,
  );
  const counts = space.place(Uint8Array.from(SEEN));
  let first = 0;
  for (const [name, size] of Object.entries(PARTS)) {
    const isTold = isWide && name in WIDER;
    if (!isTold) kernel.initialise(seen, logits, counts, first, size, places[name]);
    first += size;
  }
  let next = changes;
  const [weightsAt, slopesAt, ...others] = parts.map((size) => (next += 4 * size) - 4 * size);
  kernel.accumulate(weightsAt, parts[0], weights, WEIGHT_SHIFT, 0, places.weights);
  if (isWide) {
    const [signWeightsAt, ...logitsAt] = others;
    kernel.accumulate(signWeightsAt, parts[2], SIGN_INPUTS, WEIGHT_SHIFT, 0, places.signWeights);
    // contexts that groups share, each moved by its group's level, and those of signs
    logitsAt.forEach((at, n) => kernel.accumulate(at, parts[3 + n], 1, 0, UNKNOWN, at));
    const sizes = space.place(Int32Array.from(WIDE_SIZES));
    kernel.widen(...logitsAt, sizes, places.mixed, places.signs);
  }
  return {
    image: new Uint8Array(buffer, FIRST, end - FIRST).slice(),
    places,
    slopes: unpackSlopes(new Int32Array(buffer, slopesAt, SLOPES)),
  };
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
