/** `Photo` of kernel/photo.ts, in words of four bytes. */

const WIDTH_HIGH = 5;
const FIELDS = [
  "bands", "blocks", "passes", "passCount", "coefficients", "flagCount",
  "mixed", "flags", "empty", "signs", "fine", "weights",
  "stretch", "squash", "rates", "coarse", "smooth", "known", "negative", "active",
  "signWeights", "scratch",
];
const FIRST_FIELD = 13;
/** Which pass and block the parse is at. */
export const PASS = 8;
export const BLOCK = 10;
export const WORDS = FIRST_FIELD + FIELDS.length;

/** One at its beginning, with these fields. */
export function newState(fields) {
  const state = new Int32Array(WORDS);
  state[WIDTH_HIGH] = 1; // the range begins at 2^32
  FIELDS.forEach((name, n) => {
    state[FIRST_FIELD + n] = fields[name] ?? 0;
  });
  return state;
}
