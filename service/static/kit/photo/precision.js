/**
 * How precisely each coefficient of a photo is known where its parse stands: FORMAT.md, "Networks".
 * A function of the place and of the geometry, whatever the picture is.
 */

import { CHANNELS, TOP } from "./geometry.js";

/** Levels within a cell. */
export const LEVELS = 3;
const ORIENTS = 3;
const BLOCK = 8;
const KINDS = 2;
const SIGNIFICANCE = 0;

/**
 * Before the pass `pass` is done: the plane that each band has reached, by channel, band and kind;
 * what is under way; a byte a block of it, whether it is done; the part of it that lies in them.
 */
export function precisionOf({ bands, blocks, passes }, pass, block) {
  const planes = new Float64Array(CHANNELS * bands.length * KINDS);
  const at = (channel, band, kind) => (channel * bands.length + band) * KINDS + kind;
  for (let n = 0; n < planes.length; n += 1) {
    planes[n] = TOP + bands[(n >> 1) % bands.length].level + 1;
  }
  const passAt = (n) => passes.subarray(5 * n, 5 * n + 4);
  for (let n = 0; n < pass; n += 1) {
    const [channel, band, plane, kind] = passAt(n);
    planes[at(channel, band, kind)] = plane;
  }
  const known = { planes, at, underWay: null, visited: null, visitedStride: 0, share: 0 };
  if (5 * pass === passes.length) return known;
  const [channel, band, plane, kind] = passAt(pass);
  const { rows, columns, first } = bands[band];
  const across = Math.ceil(columns / BLOCK);
  const visited = new Uint8Array(Math.ceil(rows / BLOCK) * across);
  let samples = 0;
  for (let n = first; n < block; n += 1) {
    const [top, left] = blocks.subarray(2 * n, 2 * n + 2);
    visited[(top / BLOCK) * across + left / BLOCK] = 1;
    samples += Math.min(rows - top, BLOCK) * Math.min(columns - left, BLOCK);
  }
  const share = samples / Math.max(1, rows * columns);
  return { ...known, underWay: { channel, band, plane, kind }, visited, visitedStride: across, share };
}

/** The first of a level's three bands. */
function bandOf(bands, level) {
  return 1 + ORIENTS * (bands[0].level - level);
}

/** Whether the first channel's level 3 is known down to a plane: then the synthesis is used. */
export function begins({ planes, at }, { bands }, firstPlane) {
  const first = bandOf(bands, LEVELS);
  return [0, 1, 2].every((n) => planes[at(0, first + n, SIGNIFICANCE)] <= firstPlane);
}

/**
 * What coefficients of cells are counted in, in the order of cells: the low-pass picture's channels,
 * then channels and orientations of levels 3, 2, 1: { channel, band, level, unit, visitedUnit },
 * where the last is of blocks that the pass under way has visited. `stepAt(channel, band)`.
 */
export function unitsOf(known, { bands }, stepAt) {
  const { planes, at, underWay, share } = known;
  const isHalf = underWay?.kind === SIGNIFICANCE && underWay.band > 0;
  const found = [];
  for (let channel = 0; channel < CHANNELS; channel += 1) {
    let sum = 0;
    for (let n = 0; n < ORIENTS; n += 1) {
      const band = bandOf(bands, LEVELS + 1) + n;
      const unit = 2 ** planes[at(channel, band, SIGNIFICANCE)];
      const isThis = isHalf && underWay.channel === channel && underWay.band === band;
      sum += isThis ? unit + share * (2 ** underWay.plane - unit) : unit;
    }
    const unit = (sum / ORIENTS) * stepAt(channel, 0);
    found.push({ channel, band: 0, level: LEVELS, unit, visitedUnit: unit, isHalf: false });
  }
  for (let level = LEVELS; level > 0; level -= 1) {
    for (let n = 0; n < CHANNELS * ORIENTS; n += 1) {
      const channel = Math.floor(n / ORIENTS);
      const band = bandOf(bands, level) + (n % ORIENTS);
      const step = stepAt(channel, band);
      const unit = 2 ** planes[at(channel, band, SIGNIFICANCE)] * step;
      const isThis = isHalf && underWay.channel === channel && underWay.band === band;
      const visitedUnit = isThis ? 2 ** underWay.plane * step : unit;
      found.push({ channel, band, level, unit, visitedUnit, isHalf: isThis });
    }
  }
  return found;
}

/** The mean plane of each band of a cell and of the level below; both kinds count half. */
export function toldOf({ planes, at, underWay, share }, { bands }) {
  const mean = (channel, band) => {
    const both = [0, 1].map((kind) => {
      const plane = planes[at(channel, band, kind)];
      const isThis =
        underWay?.channel === channel && underWay.band === band && underWay.kind === kind;
      return isThis ? plane + share * (underWay.plane - plane) : plane;
    });
    return (both[0] + both[1]) / 2;
  };
  const told = [];
  for (let level = 1; level <= LEVELS; level += 1) {
    for (let n = 0; n < CHANNELS * ORIENTS; n += 1) {
      told.push(mean(Math.floor(n / ORIENTS), bandOf(bands, level) + (n % ORIENTS)));
    }
  }
  for (let channel = 0; channel < CHANNELS; channel += 1) {
    const below = [0, 1, 2].map((n) => mean(channel, bandOf(bands, LEVELS + 1) + n));
    told.push(below.reduce((sum, one) => sum + one) / ORIENTS);
  }
  return told.map((plane) => (plane - 3) / 4);
}
