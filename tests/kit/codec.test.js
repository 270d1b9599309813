/** The kit against the service: symbols identical, pixels within 1. Run by test_kit.py. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { readHeader } from "../../service/static/kit/core/header.js";
import { COEFFICIENTS, Codec, PIXELS } from "../../service/static/kit/thumb/codec.js";
import { NEWEST, VERSIONS } from "../../service/static/kit/thumb/versions.js";
import { readNpz } from "./npz.js";

const cases = readNpz(join(process.env.KIT_CASES, "parse.npz"));
const codec = new Codec(await VERSIONS[NEWEST].tables());

/** One prefix after the other: its number and its bytes. */
function* prefixes() {
  let at = 0;
  for (const [n, length] of cases.lengths.data.entries()) {
    yield [n, cases.streams.data.subarray(at, at + length)];
    at += length;
  }
}

test("every symbol of every prefix is the service's, of noise too", () => {
  let decided = 0;
  for (const [n, bytes] of prefixes()) {
    const known = codec.parse(bytes);
    const own = [n * COEFFICIENTS, (n + 1) * COEFFICIENTS];
    assert.equal(known.symbols, cases.symbols.data[n]);
    assert.deepEqual(known.magnitude, cases.magnitude.data.slice(...own));
    assert.deepEqual(Int32Array.from(known.sign), cases.sign.data.slice(...own));
    assert.deepEqual(Int32Array.from(known.plane), cases.plane.data.slice(...own));
    decided += known.symbols;
  }
  assert.ok(decided > 100_000);
});

test("the closed form is the service's to a hundredth of a level", () => {
  for (const [n, bytes] of prefixes()) {
    const painted = codec.paint(codec.parse(bytes));
    let worst = 0;
    for (let k = 0; k < COEFFICIENTS; k += 1) {
      const expected = cases.painted.data[n * COEFFICIENTS + 3 * (k % PIXELS) + Math.floor(k / PIXELS)];
      const scale = Math.max(256, Math.abs(expected)); // noise reaches far beyond 255
      worst = Math.max(worst, Math.abs(painted[k] - expected) / scale);
    }
    assert.ok(worst < 0.01 / 256, `prefix ${n} of ${bytes.length} bytes: ${worst}`);
  }
});

test("what is no prefix of this version is refused", () => {
  const header = [(2 << 3) | codec.version, 128];
  for (const bytes of [[], [header[0]], [header[0], 129], [8, 128], [header[0] ^ 1, 128]]) {
    assert.throws(() => codec.parse(Uint8Array.from(bytes)), { name: "StreamError" });
  }
  const long = new Uint8Array(codec.maximumBytes + 1);
  long.set(header);
  assert.throws(() => codec.parse(long), /more than/);
});

test("the header says the aspect ratio", () => {
  assert.equal(readHeader(Uint8Array.of(16, 128)).aspect, 1);
  assert.ok(Math.abs(readHeader(Uint8Array.of(16, 78 << 1)).aspect - 1.5) < 0.01);
});
