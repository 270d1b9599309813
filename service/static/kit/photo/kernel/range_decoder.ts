/**
 * The range decoder of FORMAT.md: the number less low twice, as if the missing bytes were all 00,
 * and all FF. A symbol is decided when both fall into the same share. 64 bits: the range begins at
 * 2^32.
 */

import { Photo } from "./photo";

export const UNDECIDED: i32 = -1;
const PRECISION: u64 = 16;
const WHOLE: u64 = 1 << 32;
const LEAST: u64 = 1 << 24;

let low: u64 = 0;
let high: u64 = 0;
let width: u64 = 0;
let taken: i32 = 0;
let limit: i32 = 0;
let data: usize = 0;

/** Take up a photo's decoder: `bytes[at]` is there for all `at` from its last limit up to `now`. */
export function resume(photo: Photo, bytes: usize, now: i32): void {
  low = photo.low;
  high = photo.high;
  width = photo.width;
  taken = photo.taken;
  limit = now;
  data = bytes;
  if (taken == 0) {
    for (let n = 0; n < 4; n += 1) take();
    width = WHOLE;
    return;
  }
  // bytes take the place of the tails
  for (let at = photo.limit, end = min(now, taken); at < end; at += 1) {
    const unit = <u64>1 << (8 * <u64>(taken - 1 - at));
    const byte = <u64>load<u8>(data + at);
    low += unit * byte;
    high -= unit * (255 - byte);
  }
}

export function suspend(photo: Photo): void {
  photo.low = low;
  photo.high = high;
  photo.width = width;
  photo.taken = taken;
  photo.limit = limit;
}

/** The next symbol, 1 having the first `share` of 65536; UNDECIDED leaves all as it was. */
// @ts-ignore: decorator
@inline
export function decide(share: i32): i32 {
  const start = (width >> PRECISION) * <u64>share;
  let bit = 1;
  if (low >= start) {
    low -= start;
    high -= start;
    width -= start;
    bit = 0;
  } else if (high < start) {
    width = start;
  } else {
    return UNDECIDED;
  }
  while (width < LEAST) take();
  return bit;
}

function take(): void {
  const isThere = taken < limit;
  const byte = isThere ? <u64>load<u8>(data + taken) : 0;
  low = (low << 8) | byte;
  high = (high << 8) | (isThere ? byte : 255);
  width <<= 8;
  taken += 1;
}
