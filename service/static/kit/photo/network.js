/**
 * The synthesis network of photos: weights, and how they are laid out for kernel/network.ts. All
 * cells are corrected row after row, each stage two rows behind the one before: little is kept, no
 * cell is computed twice, and there are no seams.
 */

/** Numbers whose products the kernel sums at once; cells that it works on together. */
const PANEL = 8;
const CHUNK = 32;
const CELLS = 4;
/** Rows and columns around a cell that a block looks at. */
const HALO = 2;
const REACH = 5;
export const COEFFICIENTS = 192;
const LOW = 3;
const FLOAT = 4;
const LAYER_WORDS = 6;
export const BAND_WORDS = 9;

/** The number that 16 bits of IEEE 754 stand for. */
function fromHalf(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

/**
 * The network in a file of weights (models/export/photo_network.py): a layer has `scales` and
 * `biases` [outputs] and `whole` numbers [outputs, inputs].
 */
export function readWeights(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const next = (size) => (at += size) - size;
  const [firstPlane, channels, wide, blocks, told, hidden] = Array.from({ length: 6 }, () => {
    return view.getUint32(next(4), true);
  });
  const shape = (inputs, outputs) => ({ inputs, outputs });
  const tell = shape(told, hidden);
  const enter = shape(2 * COEFFICIENTS, channels);
  const leave = shape(channels, 2 * COEFFICIENTS - LOW);
  const each = Array.from({ length: blocks }, () => ({
    around: shape(REACH * REACH, channels),
    widen: shape(channels, wide),
    narrow: shape(wide, channels),
    gains: shape(hidden, wide),
  }));
  const layers = [tell, enter, ...each.flatMap((block) => Object.values(block)), leave];
  const halves = (length) => {
    return Float32Array.from({ length }, () => fromHalf(view.getUint16(next(2), true)));
  };
  for (const layer of layers) {
    layer.scales = halves(layer.outputs);
    layer.biases = halves(layer.outputs);
  }
  for (const layer of layers) {
    const size = layer.inputs * layer.outputs;
    layer.whole = new Int8Array(bytes.buffer, bytes.byteOffset + next(size), size);
  }
  if (at !== bytes.length) throw new RangeError("not the weights of a synthesis network");
  return { firstPlane, channels, tell, enter, blocks: each, leave };
}

/** i16 [outputs / 8, inputs / 2, 8, 2]. */
function panels({ whole, inputs, outputs }) {
  const packed = new Int16Array(Math.ceil(outputs / PANEL) * PANEL * inputs);
  for (let o = 0; o < outputs; o += 1) {
    const first = (o - (o % PANEL)) * inputs + 2 * (o % PANEL);
    for (let k = 0; k < inputs; k += 1) {
      packed[first + (k >> 1) * 2 * PANEL + (k & 1)] = whole[o * inputs + k];
    }
  }
  return packed;
}

/** f32 [taps, channels], times their scales. */
function taps({ whole, scales, inputs, outputs }) {
  return Float32Array.from({ length: inputs * outputs }, (_, n) => {
    const channel = n % outputs;
    return whole[channel * inputs + Math.floor(n / outputs)] * scales[channel];
  });
}

/** A matrix times a vector. */
function dense({ whole, scales, biases, inputs }, given) {
  return biases.map((bias, o) => {
    let sum = 0;
    for (let k = 0; k < inputs; k += 1) sum += whole[o * inputs + k] * given[k];
    return bias + sum * scales[o];
  });
}

export class Network {
  #module;
  #read;
  #ready;

  /** `module`: compiled; `bytes`: a file of weights. */
  constructor(module, bytes) {
    this.#module = module;
    this.#read = readWeights(bytes);
    const { enter, blocks, leave } = this.#read;
    const laid = (layer) => ({ ...layer, laid: panels(layer) });
    this.#ready = {
      enter: laid(enter),
      leave: laid(leave),
      blocks: blocks.map(({ around, widen, narrow }) => ({
        around: { ...around, inputs: around.outputs, laid: taps(around) },
        widen: laid(widen),
        narrow: laid(narrow),
      })),
    };
  }

  /** Known less precisely than that, a picture is better off without. */
  get firstPlane() {
    return this.#read.firstPlane;
  }

  /**
   * Ready to correct cells that lie in `memory`. `allocate(bytes)` and `place(array)` give
   * addresses in it. `rows` and `width` are all cells; `most`, about, how many a step corrects.
   * `told`: how precisely bands are known.
   */
  over({ memory, allocate, place, rows, width, told, most }) {
    const { exports } = new WebAssembly.Instance(this.#module, { env: { memory } });
    const { tell, channels, blocks } = this.#read;
    const hidden = dense(tell, told).map((sum) => Math.max(sum, 0));
    const room = allocate(CHUNK * (2 * COEFFICIENTS * 2 + FLOAT));
    const padded = (array) => {
      const found = new Float32Array(Math.ceil(array.length / PANEL) * PANEL);
      found.set(array);
      return place(found);
    };
    const put = ({ laid, scales, biases, inputs, outputs }) => {
      const wider = Math.ceil(outputs / PANEL) * PANEL;
      const words = [place(laid), padded(scales), padded(biases), room, inputs, wider];
      return place(Int32Array.from(words));
    };
    const stages = this.#ready.blocks.map(({ around, widen, narrow }, n) => ({
      around: put(around),
      widen: put(widen),
      narrow: put(narrow),
      gains: place(dense(blocks[n].gains, hidden)),
    }));
    const step = Math.min(rows, Math.max(1, Math.round(most / width)));
    const stride = (((width + CELLS - 1) & ~(CELLS - 1)) + 2 * HALO) * channels * FLOAT;
    return new Correction({
      kernel: exports, memory, rows, width, channels, step, stride, stages,
      enter: put(this.#ready.enter),
      leave: put(this.#ready.leave),
      scratch: allocate(CHUNK * 2 * COEFFICIENTS * FLOAT * 2),
      kept: Array.from({ length: stages.length + 1 }, () => {
        return allocate((step + 2 * HALO) * stride);
      }),
    });
  }
}

/** Of one picture's cells. */
class Correction {
  #over;

  constructor(over) {
    this.#over = over;
  }

  /** Rows of cells that a step is given, at most. */
  get step() {
    return this.#over.step;
  }

  /**
   * Correct rows `from` to `to` where they lie, `bands` (`Band` of the kernel): yields between
   * steps. `fill(row, end)` makes these rows, as they are before, where they are taken from: bands
   * `taken`. It never asks for corrected ones.
   */
  *run(from, to, bands, taken, fill) {
    const { kernel, memory, rows, width, channels, step, stride, stages, kept } = this.#over;
    const { enter, leave, scratch } = this.#over;
    const around = HALO * stages.length;
    const [first, end] = [Math.max(0, from - around), Math.min(rows, to + around)];
    const bytes = () => new Uint8Array(memory.buffer);
    const inner = HALO * channels * FLOAT;
    const isNeeded = (row, left) => {
      const more = HALO * left; // of stages
      return row >= Math.max(0, from - more) && row < Math.min(rows, to + more);
    };
    for (const at of kept) bytes().fill(0, at, at + (step + 2 * HALO) * stride);
    for (let next = first; next < to + around; next += step) {
      for (const at of kept) {
        bytes().copyWithin(at, at + step * stride, at + (step + 2 * HALO) * stride);
      }
      fill(next, Math.min(next + step, end));
      for (let n = 0; n < kept.length; n += 1) {
        for (let k = 0; k < step; k += 1) {
          const row = next - HALO * n + k;
          const out = kept[n] + (2 * HALO + k) * stride;
          bytes().fill(0, out, out + stride);
          if (!isNeeded(row, stages.length - n)) continue;
          if (n === 0) kernel.enter(enter, taken, row, width, scratch, out + inner);
          else {
            const { around: look, widen, narrow, gains } = stages[n - 1];
            const source = kept[n - 1] + k * stride;
            kernel.block(look, widen, narrow, gains, source, stride, width, scratch, out + inner);
          }
          const beyond = out + inner + width * channels * FLOAT;
          bytes().fill(0, beyond, out + stride);
        }
      }
      for (let k = 0; k < step; k += 1) {
        const row = next - around + k;
        const found = kept[stages.length] + (2 * HALO + k) * stride + inner;
        if (row >= from && row < to) kernel.leave(leave, bands, row, width, found, scratch);
      }
      yield;
    }
  }
}
