/** What a photo is to the kernel: addresses that JavaScript gave out (photo.js), and the parse's place. */

// @ts-ignore: decorator
@unmanaged
export class Photo {
  /** Of the range decoder: the number less low with a tail of 00, of FF, and the range. */
  low: u64;
  high: u64;
  width: u64;
  /** Bytes taken, and how many there were then. */
  taken: i32;
  limit: i32;
  /** Where the parse goes on, and what it has decided. */
  pass: i32;
  stage: i32;
  block: i32;
  cell: i32;
  symbols: i32;

  /** i32 [bands, 11]: the columns of `Band`. */
  bands: usize;
  /** i32 [blocks, 2]: top, left. */
  blocks: usize;
  /** i32 [passes, 5]: channel, band, plane, kind, group. */
  passes: usize;
  passCount: i32;
  /** Places of one channel: of coefficients, of blocks' flags. */
  coefficients: i32;
  flagCount: i32;

  /** i32, probabilities `p << 8 | n`: [G, CONTEXTS], [G, FLAGS], [G], [G, SIGNS], [G, FINE]. */
  mixed: usize;
  flags: usize;
  empty: usize;
  signs: usize;
  fine: usize;
  /** i32 [G, SETS, MODELS] in 2^-16. */
  weights: usize;
  /** i16 [4096], i32 [2 * 2815 + 1], i32 [256], u8 [4096], u8 [4096]: see FORMAT.md. */
  stretch: usize;
  squash: usize;
  rates: usize;
  coarse: usize;
  smooth: usize;

  /** i32 [3, coefficients]: twice the middle of what is known of a magnitude. */
  known: usize;
  /** u8 [3, coefficients]. */
  negative: usize;
  /** u8 [3, flagCount]: whether anything of a band, of a block was found. */
  active: usize;
  /** i32 [G, SIGN_INPUTS] in 2^-16 of a stream with networks, which is wide; else 0. */
  signWeights: usize;
  /** 256 bytes. */
  scratch: usize;
}

// @ts-ignore: decorator
@unmanaged
export class Band {
  level: i32;
  orientation: i32;
  offset: i32;
  stride: i32;
  rows: i32;
  columns: i32;
  parent: i32;
  first: i32;
  end: i32;
  flagsAt: i32;
  flagsStride: i32;
}

export const BAND_BYTES: usize = 44;
export const BLOCK: i32 = 8;
export const BORDER: i32 = 2;

// @ts-ignore: decorator
@inline
export function bandOf(photo: Photo, band: i32): Band {
  return changetype<Band>(photo.bands + <usize>band * BAND_BYTES);
}
