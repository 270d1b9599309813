/**
 * The synthesis network: the closed-form picture and how precisely it is known -> the picture.
 *
 * Convolutions of 3x3 on a grid of 16x16 whose 12 channels are the pixels of 2x2 cells. Planes are
 * padded with a border of zeros, [channels, 18, 18], so that no tap needs a check.
 */

import { KNOWN, MIDDLE, PIXELS, SIDE } from "./codec.js";
import { kernelModule } from "./kernel.js";

const GRID = SIDE / 2;
const STRIDE = GRID + 2;
const PLANE = STRIDE * STRIDE;
const TAPS = 9;
/** Channels of a cell of 2x2 pixels. */
const CELL = 12;
const SCALE = 64;
/** Outputs that kernel.wat makes at once. */
const BLOCK = 2;
const PAGE_BYTES = 65536;
/** What a convolution is followed by. */
const NOTHING = 0;
const RELU = 1;
const RELU_AND_SUM = 2;

/** Layers of a file of weights (models/export/browser.py): floats, int8 times their scale. */
export function readWeights(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const whole = () => view.getUint32((at += 4) - 4, true);
  const floats = (length) => {
    return Float32Array.from({ length }, () => fromHalf(view.getUint16((at += 2) - 2, true)));
  };
  const count = whole();
  const layers = Array.from({ length: count }, () => {
    return { inputs: whole(), outputs: whole(), known: whole() };
  });
  for (const layer of layers) {
    layer.scales = floats(layer.outputs);
    layer.biases = floats(layer.outputs);
    layer.steering = floats(layer.outputs * layer.known);
  }
  for (const layer of layers) {
    const taps = layer.inputs * TAPS;
    layer.weights = Float32Array.from({ length: layer.outputs * taps }, (_, n) => {
      return Math.fround(view.getInt8(at + n) * layer.scales[Math.floor(n / taps)]);
    });
    at += layer.outputs * taps;
  }
  const fits = layers.every((layer, n) => {
    const before = n === 0 ? CELL : layers[n - 1].outputs;
    return layer.inputs === before && (layer.known === 0 || layer.known === KNOWN);
  });
  if (count < 2 || !fits || layers.at(-1).outputs !== CELL || at !== bytes.length) {
    throw new Error("not the weights of a synthesis network");
  }
  return layers;
}

/** The number that 16 bits of IEEE 754 stand for. */
function fromHalf(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

/** The network on the fastest kernel that runs here: WebAssembly's, or plain JavaScript. */
export async function makeNetwork(layers) {
  try {
    return new Network(layers, await makeWasmKernel(layers));
  } catch (error) {
    // no SIMD, or a Content-Security-Policy without 'wasm-unsafe-eval'
    if (error instanceof WebAssembly.CompileError) return makeScriptNetwork(layers);
    throw error;
  }
}

/** The network in plain JavaScript. */
export function makeScriptNetwork(layers) {
  return new Network(layers, new ScriptKernel(layers));
}

class Network {
  constructor(layers, kernel) {
    this.layers = layers;
    this.kernel = kernel;
    /** Which kernel: "wasm" or "js". */
    this.kind = kernel.kind;
  }

  /** Planes R, G, B of levels [3 * 1024] and float [18] -> planes of levels [3 * 1024]. */
  run(painted, known) {
    const { layers, kernel } = this;
    const [edge, ...inner] = kernel.planes;
    const last = layers.length - 1;
    let from = edge;
    unshuffle(painted, edge);
    for (let n = 0; n <= last; n += 1) {
      const to = n === last ? edge : inner[n & 1];
      steer(layers[n], known, kernel.biases);
      kernel.convolve(n, from, to, n === 0 ? RELU : n < last ? RELU_AND_SUM : NOTHING);
      from = to;
    }
    return corrected(painted, edge);
  }
}

/** Biases of a layer for a picture that is known so precisely. */
function steer(layer, known, biases) {
  for (let o = 0; o < layer.outputs; o += 1) {
    let sum = layer.biases[o];
    for (let k = 0; k < layer.known; k += 1) sum += layer.steering[o * layer.known + k] * known[k];
    biases[o] = sum;
  }
}

/** Calls back with each of the 12 channels' places: in padded planes, and in the picture's. */
function eachPixel(callback) {
  for (let channel = 0; channel < CELL; channel += 1) {
    const [colour, down, right] = [channel >> 2, (channel >> 1) & 1, channel & 1];
    for (let y = 0; y < GRID; y += 1) {
      const inPlanes = channel * PLANE + (y + 1) * STRIDE + 1;
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

/** Channels of the widest planes, in whole blocks. */
function widest(layers) {
  return BLOCK * Math.ceil(Math.max(...layers.map((layer) => layer.outputs)) / BLOCK);
}

/** kernel.wat with its memory laid out: three stacks of planes, biases, the layers' weights. */
async function makeWasmKernel(layers) {
  const { instance } = await WebAssembly.instantiate(kernelModule());
  const { memory, convolve } = instance.exports;
  const channels = widest(layers);
  let floats = 0;
  const room = (length) => (floats += length) - length;
  const planesAt = [0, 1, 2].map(() => room(channels * PLANE));
  const biasesAt = room(channels);
  const weightsAt = layers.map((layer) => {
    return room(BLOCK * Math.ceil(layer.outputs / BLOCK) * layer.inputs * TAPS);
  });
  const missing = 4 * floats - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  const all = new Float32Array(memory.buffer);
  layers.forEach((layer, n) => {
    const taps = layer.inputs * TAPS;
    for (let o = 0; o < layer.outputs; o += 1) {
      const block = weightsAt[n] + (o - (o % BLOCK)) * taps + (o % BLOCK);
      for (let t = 0; t < taps; t += 1) all[block + BLOCK * t] = layer.weights[o * taps + t];
    }
  });
  const planes = planesAt.map((at) => all.subarray(at, at + channels * PLANE));
  return {
    kind: "wasm",
    planes,
    biases: all.subarray(biasesAt, biasesAt + channels),
    convolve(n, from, to, mode) {
      const { inputs, outputs } = layers[n];
      const places = [from.byteOffset, to.byteOffset, 4 * weightsAt[n], 4 * biasesAt];
      convolve(...places, inputs, Math.ceil(outputs / BLOCK), mode);
    },
  };
}

class ScriptKernel {
  constructor(layers) {
    const channels = widest(layers);
    this.kind = "js";
    this.layers = layers;
    this.planes = [0, 1, 2].map(() => new Float32Array(channels * PLANE));
    this.biases = new Float32Array(channels);
    this.sums = new Float32Array(PLANE);
  }

  convolve(n, from, to, mode) {
    const { inputs, outputs, weights } = this.layers[n];
    const { sums } = this;
    for (let o = 0; o < outputs; o += 1) {
      sums.fill(this.biases[o]);
      for (let i = 0; i < inputs; i += 1) {
        addTaps(sums, from, i * PLANE, weights, (o * inputs + i) * TAPS);
      }
      for (let y = 0; y < GRID; y += 1) {
        for (let x = 0; x < GRID; x += 1) {
          const at = o * PLANE + (y + 1) * STRIDE + x + 1;
          const sum = sums[y * GRID + x];
          const rectified = mode !== NOTHING && sum < 0 ? 0 : sum;
          to[at] = mode === RELU_AND_SUM ? from[at] + rectified : rectified;
        }
      }
    }
  }
}

function addTaps(sums, planes, plane, weights, at) {
  const w0 = weights[at];
  const w1 = weights[at + 1];
  const w2 = weights[at + 2];
  const w3 = weights[at + 3];
  const w4 = weights[at + 4];
  const w5 = weights[at + 5];
  const w6 = weights[at + 6];
  const w7 = weights[at + 7];
  const w8 = weights[at + 8];
  for (let y = 0; y < GRID; y += 1) {
    const above = plane + y * STRIDE;
    const here = above + STRIDE;
    const below = here + STRIDE;
    for (let x = 0; x < GRID; x += 1) {
      sums[y * GRID + x] +=
        w0 * planes[above + x] + w1 * planes[above + x + 1] + w2 * planes[above + x + 2] +
        w3 * planes[here + x] + w4 * planes[here + x + 1] + w5 * planes[here + x + 2] +
        w6 * planes[below + x] + w7 * planes[below + x + 1] + w8 * planes[below + x + 2];
    }
  }
}
