/**
 * The synthesis network: the closed-form picture and how precisely it is known -> the picture.
 *
 * Convolutions on a grid of 16x16 whose 12 channels are the pixels of 2x2 cells: one of 3x3, blocks
 * of three (5x5 of each channel, 1x1 to more channels, 1x1 back and added), one of 3x3. Planes are
 * padded with two borders of zeros, [channels, 20, 20], so that no tap needs a check.
 */

import { KNOWN, MIDDLE, PIXELS, SIDE } from "./codec.js";
import { kernelModule } from "./kernel.js";

const GRID = SIDE / 2;
const BORDER = 2;
const STRIDE = GRID + 2 * BORDER;
const PLANE = STRIDE * STRIDE;
/** Of a plane: where its first inner pixel lies. */
const INNER = BORDER * STRIDE + BORDER;
/** Channels of a cell of 2x2 pixels. */
const CELL = 12;
const SCALE = 64;
/** Outputs that kernel.wat makes at once. */
const PAIR = 2;
const PAGE_BYTES = 65536;
const MOST_BLOCKS = 32;
const NOT_OURS = "not the weights of a synthesis network";

/** The network in a file of weights (models/export/browser.py): {tell, layers}. */
export function readWeights(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const next = (size) => (at += size) - size;
  const [width, wide, blocks, known, hidden, told] = Array.from({ length: 6 }, () => {
    return view.getUint32(next(4), true);
  });
  const halves = (length) => {
    return Float32Array.from({ length }, () => fromHalf(view.getUint16(next(2), true)));
  };
  const whole = (length) => Float32Array.from({ length }, () => view.getInt8(next(1)));
  const dense = (inputs, outputs) => {
    return { weights: halves(inputs * outputs), biases: halves(outputs) };
  };
  if (known !== KNOWN || blocks > MOST_BLOCKS) throw new RangeError(NOT_OURS);
  const tell = [dense(known, hidden), dense(hidden, told)];
  const layers = layersOf(width, wide, blocks);
  for (const layer of layers) {
    layer.scales = halves(layer.outputs);
    layer.biases = halves(layer.outputs);
    for (const role of layer.told) layer[role] = { scales: halves(layer.outputs) };
  }
  for (const layer of layers) {
    layer.weights = whole(layer.outputs * layer.taps);
    for (const role of layer.told) layer[role].weights = whole(layer.outputs * told);
  }
  if (at !== bytes.length) throw new RangeError(NOT_OURS);
  return { tell, layers };
}

/** An edge, blocks, an edge. `own`: each output sees one input, its own. `told`: by which roles. */
function layersOf(width, wide, blocks) {
  const layer = (inputs, outputs, size, told, { own = 0, relu = 0, sum = 0 } = {}) => {
    return { inputs, outputs, size, taps: inputs * size * size, told, own, relu, sum };
  };
  const block = () => [
    layer(1, width, 5, [], { own: 1 }),
    layer(width, wide, 1, ["steering", "gains"], { relu: 1 }),
    layer(wide, width, 1, [], { sum: 1 }),
  ];
  return [
    layer(CELL, width, 3, ["steering"], { relu: 1 }),
    ...Array.from({ length: blocks }, block).flat(),
    layer(width, CELL, 3, ["steering"]),
  ];
}

/** The number that 16 bits of IEEE 754 stand for. */
function fromHalf(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

/** The network on the fastest kernel that runs here: WebAssembly's, or plain JavaScript. */
export async function makeNetwork({ tell, layers }) {
  try {
    return new Network(tell, layers, await makeWasmKernel(layers));
  } catch (error) {
    // no SIMD, or a Content-Security-Policy without 'wasm-unsafe-eval'
    if (error instanceof WebAssembly.CompileError) return makeScriptNetwork({ tell, layers });
    throw error;
  }
}

/** The network in plain JavaScript. */
export function makeScriptNetwork({ tell, layers }) {
  return new Network(tell, layers, new ScriptKernel(layers));
}

class Network {
  constructor(tell, layers, kernel) {
    this.tell = tell;
    this.layers = layers;
    this.kernel = kernel;
    /** Which kernel: "wasm" or "js". */
    this.kind = kernel.kind;
  }

  /** Planes R, G, B of levels [3 * 1024] and float [18] -> planes of levels [3 * 1024]. */
  run(painted, known) {
    const { tell, layers, kernel } = this;
    const [edge, h, around, mixed] = kernel.planes;
    const inBlock = [around, mixed, h];
    const told = dense(tell[1], dense(tell[0], known).map((sum) => Math.max(sum, 0)));
    const last = layers.length - 1;
    let from = edge;
    unshuffle(painted, edge);
    for (let n = 0; n <= last; n += 1) {
      const to = n === 0 ? h : n === last ? edge : inBlock[(n - 1) % 3];
      tune(layers[n], told, kernel.tuned);
      kernel.convolve(n, from, to);
      from = to;
    }
    return corrected(painted, edge);
  }
}

/** Weights [outputs, inputs] times a vector, and biases. */
function dense({ weights, biases }, given) {
  return biases.map((bias, o) => {
    return given.reduce((sum, value, k) => sum + weights[o * given.length + k] * value, bias);
  });
}

/** What a layer's sums are multiplied by and what is added, for a picture that is `told` of. */
function tune({ outputs, scales, biases, steering, gains }, told, tuned) {
  const product = (matrix, o) => {
    if (!matrix) return 0;
    let sum = 0;
    for (let k = 0; k < told.length; k += 1) sum += matrix.weights[o * told.length + k] * told[k];
    return matrix.scales[o] * sum;
  };
  for (let o = 0; o < outputs; o += 1) {
    const gain = 1 + product(gains, o);
    tuned[2 * o] = scales[o] * gain;
    tuned[2 * o + 1] = biases[o] * gain + product(steering, o);
  }
}

/** Calls back with each of the 12 channels' places: in padded planes, and in the picture's. */
function eachPixel(callback) {
  for (let channel = 0; channel < CELL; channel += 1) {
    const [colour, down, right] = [channel >> 2, (channel >> 1) & 1, channel & 1];
    for (let y = 0; y < GRID; y += 1) {
      const inPlanes = channel * PLANE + INNER + y * STRIDE;
      const inPicture = colour * PIXELS + (2 * y + down) * SIDE + right;
      for (let x = 0; x < GRID; x += 1) callback(inPlanes + x, inPicture + 2 * x);
    }
  }
}

function unshuffle(picture, planes) {
  eachPixel((to, from) => {
    planes[to] = (picture[from] - MIDDLE) / SCALE;
  });
}

function corrected(picture, planes) {
  const out = new Float32Array(picture.length);
  eachPixel((from, to) => {
    out[to] = picture[to] + SCALE * planes[from];
  });
  return out;
}

/** Channels of the widest planes, in whole pairs. */
function widest(layers) {
  return inPairs(Math.max(...layers.map((layer) => layer.outputs)));
}

function inPairs(outputs) {
  return PAIR * Math.ceil(outputs / PAIR);
}

/** kernel.wat with its memory laid out: four stacks of planes, tuning, the layers' weights. */
async function makeWasmKernel(layers) {
  const { instance } = await WebAssembly.instantiate(kernelModule());
  const { memory, convolve } = instance.exports;
  const channels = widest(layers);
  let used = 0;
  const room = (length) => (used += length) - length;
  const planesAt = [0, 1, 2, 3].map(() => room(channels * PLANE));
  const tunedAt = room(2 * channels);
  // a pair sees the same inputs: where each has its own, both, and zeros undo the other's
  const inputsOf = ({ own, inputs }) => (own ? PAIR : inputs);
  const weightsAt = layers.map((layer) => {
    return room(inPairs(layer.outputs) * inputsOf(layer) * layer.size ** 2);
  });
  const missing = 4 * used - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  const all = new Float32Array(memory.buffer);
  layers.forEach((layer, n) => {
    const { outputs, taps, size, own } = layer;
    for (let o = 0; o < outputs; o += 1) {
      const second = o % PAIR;
      const first = weightsAt[n] + (o - second) * inputsOf(layer) * size ** 2 + second;
      const at = own ? first + PAIR * second * taps : first;
      for (let t = 0; t < taps; t += 1) all[at + PAIR * t] = layer.weights[o * taps + t];
    }
  });
  const planes = planesAt.map((at) => all.subarray(at, at + channels * PLANE));
  return {
    kind: "wasm",
    planes,
    tuned: all.subarray(tunedAt, tunedAt + 2 * channels),
    convolve(n, from, to) {
      const { outputs, size, own, relu, sum } = layers[n];
      const first = from.byteOffset + 4 * (INNER - (size >> 1) * (STRIDE + 1));
      const inner = to.byteOffset + 4 * INNER;
      const places = [first, inner, 4 * weightsAt[n], 4 * tunedAt];
      const step = own * PAIR * 4 * PLANE;
      convolve(...places, inputsOf(layers[n]), inPairs(outputs) / PAIR, size, step, relu, sum);
    },
  };
}

class ScriptKernel {
  constructor(layers) {
    const channels = widest(layers);
    this.kind = "js";
    this.layers = layers;
    this.planes = [0, 1, 2, 3].map(() => new Float32Array(channels * PLANE));
    this.tuned = new Float32Array(2 * channels);
    this.sums = new Float32Array(GRID * GRID);
  }

  convolve(n, from, to) {
    const { inputs, outputs, size, taps, own, relu, sum, weights } = this.layers[n];
    const { sums, tuned } = this;
    for (let o = 0; o < outputs; o += 1) {
      sums.fill(0);
      for (let i = 0; i < inputs; i += 1) {
        addTaps(sums, from, (own ? o : i) * PLANE, weights, o * taps + i * size * size, size);
      }
      for (let y = 0; y < GRID; y += 1) {
        for (let x = 0; x < GRID; x += 1) {
          const at = o * PLANE + INNER + y * STRIDE + x;
          const found = sums[y * GRID + x] * tuned[2 * o] + tuned[2 * o + 1];
          to[at] = (relu && found < 0 ? 0 : found) + (sum ? to[at] : 0);
        }
      }
    }
  }
}

function addTaps(sums, planes, plane, weights, at, size) {
  const first = plane + INNER - (size >> 1) * (STRIDE + 1);
  for (let t = 0; t < size * size; t += 1) {
    const weight = weights[at + t];
    const tap = first + Math.floor(t / size) * STRIDE + (t % size);
    for (let y = 0; y < GRID; y += 1) {
      const row = tap + y * STRIDE;
      for (let x = 0; x < GRID; x += 1) sums[y * GRID + x] += weight * planes[row + x];
    }
  }
}
