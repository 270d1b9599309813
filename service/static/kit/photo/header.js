/** The header of a photo's stream: FORMAT.md, "Photo codec". */

import { HEADER_BYTES, StreamError, readHeader } from "../core/header.js";

export const WIRE_ID = 16;
/** Of the header, at most. */
export const LONGEST_BYTES = HEADER_BYTES + 5;
const ORDERS = 3;
/** Of the flags: networks, which version 2 is the first to have. */
const NETWORKS = 32;
const FIRST_WITH_NETWORKS = 2;
const LONGEST_SIDE = 2 ** 14 - 1;
const MOST_PIXELS = 2 ** 24;

/** Size, order, networks and length of the header of a prefix. Throws StreamError. */
export function readPhotoHeader(bytes) {
  const { wireId, version, aspect } = readHeader(bytes);
  if (wireId !== WIRE_ID) throw new StreamError(`wire id ${wireId} is no photo's`);
  if (bytes.length <= HEADER_BYTES) throw new StreamError("the stream ends within its header");
  const flags = bytes[HEADER_BYTES];
  const order = flags >> 6;
  const known = version < FIRST_WITH_NETWORKS ? 0 : NETWORKS;
  if (order >= ORDERS || (flags & 63 & ~known) !== 0) {
    throw new StreamError(`flags of ${flags} are not of this version`);
  }
  const [width, next] = readNumber(bytes, HEADER_BYTES + 1);
  const [height, length] = readNumber(bytes, next);
  const isPhoto = width > 0 && height > 0 && Math.max(width, height) <= LONGEST_SIDE;
  if (!isPhoto || width * height > MOST_PIXELS) {
    throw new StreamError(`${width}x${height} is not a size of a photo`);
  }
  if (aspectCode(width / height) !== bytes[1] >> 1) {
    throw new StreamError(`${width}x${height} has another aspect than the second byte says`);
  }
  const hasNetworks = (flags & NETWORKS) !== 0;
  return { version, aspect, width, height, order, hasNetworks, length };
}

/** Nearest code of an aspect ratio; no ratio of sides lies in the middle of two. */
function aspectCode(aspect) {
  return Math.min(127, Math.max(0, 64 + Math.round(24 * Math.log2(aspect))));
}

/** A number in its shortest spelling, and where the next byte is. */
function readNumber(bytes, at) {
  if (at >= bytes.length) throw new StreamError("the stream ends within its header");
  const low = bytes[at];
  if (low < 128) return [low, at + 1];
  if (at + 1 >= bytes.length) throw new StreamError("the stream ends within its header");
  const high = bytes[at + 1];
  if (high === 0 || high > 127) {
    throw new StreamError("a number of the header is not spelt in its shortest way");
  }
  return [(low & 127) | (high << 7), at + 2];
}
