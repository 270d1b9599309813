/** The coefficients of a photo as its synthesis network corrects them, in the photo's own memory. */

import { CHANNELS } from "./geometry.js";
import { BAND_WORDS } from "./network.js";
import { LEVELS, toldOf, unitsOf } from "./precision.js";

const FLOAT = 4;
const ORIENTS = 3;
/** The kernels look at four samples at once, and past the last of them. */
const BEYOND = 64;

export class Corrected {
  #photo;
  #places;
  #bands;
  #taken;
  #correction;

  /** Of cells that are not corrected yet. `photo`: what `Photo.correct` lets be seen of itself. */
  constructor(network, most, photo) {
    const { memory, geometry, known, stepAt, allocate, place } = photo;
    const { width, height } = geometry.sizes[LEVELS];
    this.#photo = photo;
    this.rows = height;
    this.#correction = network.over({
      memory, allocate, place, rows: height, width, told: toldOf(known, geometry), most,
    });
    const visited = known.visited ? place(known.visited) : 0;
    this.#places = unitsOf(known, geometry, stepAt).map((one) => this.#placeOf(one));
    const records = (addresses) => {
      return place(recordsOf(this.#places, addresses, visited, known.visitedStride));
    };
    this.#bands = records(this.#places.map(({ plane }) => plane));
    this.#taken = records(this.#places.map(({ taken }) => taken));
    this.given = this.#givenPlanes();
  }

  /** Correct rows of cells, once each: yields between a few of them. */
  *run(from = 0, to = this.rows) {
    yield* this.#correction.run(from, to, this.#bands, this.#taken, (row, end) => {
      this.#fill(row, end);
    });
  }

  /** A picture of what is corrected so far, and of what is not. */
  paint(splits) {
    return this.#photo.paint(splits, this);
  }

  /** The plane of a channel's low-pass picture after `LEVELS` splits. */
  low(channel) {
    return this.#places[channel].plane;
  }

  /** Planes and strides of a level's bands. */
  bands(channel, level) {
    return this.given + 2 * FLOAT * ORIENTS * ((LEVELS - level) * CHANNELS + channel);
  }

  close() {
    this.#photo.close();
  }

  #placeOf({ channel, band, level, ...units }) {
    const { geometry, allocate, low, dequantise, memory } = this.#photo;
    const isLow = band === 0;
    const { rows, columns } = geometry.bands[band];
    const size = isLow ? geometry.sizes[LEVELS] : { width: columns, height: rows };
    const stride = (size.width + 7) & ~7;
    const side = 1 << (LEVELS - level);
    const plane = allocate(FLOAT * stride * size.height + BEYOND);
    const most = isLow ? size.height : side * this.#correction.step;
    const taken = allocate(FLOAT * stride * most + BEYOND);
    if (isLow) {
      low(channel, plane, stride, size.height);
      new Uint8Array(memory.buffer).copyWithin(taken, plane, plane + FLOAT * stride * size.height);
    } else {
      dequantise(channel, band, plane, stride, 0, rows);
    }
    return { channel, band, side, isLow, ...size, stride, plane, taken, ...units };
  }

  /** As they were before: in strips, so that the kernel finds rows `row` to `end` of cells. */
  #fill(row, end) {
    const { dequantise, memory } = this.#photo;
    this.#places.forEach(({ channel, band, side, isLow, height, stride, taken }, n) => {
      if (isLow) return;
      const plane = (taken - FLOAT * stride * side * row) | 0;
      new Int32Array(memory.buffer, this.#taken, BAND_WORDS * (n + 1))[BAND_WORDS * n] = plane;
      const last = Math.min(side * end, height);
      if (side * row < last) dequantise(channel, band, plane, stride, side * row, last);
    });
  }

  #givenPlanes() {
    const fine = this.#places.filter(({ isLow }) => !isLow);
    return this.#photo.place(Int32Array.from(fine.flatMap(({ plane, stride }) => [plane, stride])));
  }
}

/** `Band` of kernel/network.ts. */
function recordsOf(places, addresses, visited, visitedStride) {
  const words = new Int32Array(BAND_WORDS * places.length);
  const floats = new Float32Array(words.buffer);
  places.forEach(({ stride, height, width, side, unit, visitedUnit, isHalf }, n) => {
    const at = BAND_WORDS * n;
    words.set([addresses[n], stride, height, width, side], at);
    floats.set([unit, visitedUnit], at + 5);
    words.set([isHalf ? visited : 0, visitedStride], at + 7);
  });
  return words;
}
