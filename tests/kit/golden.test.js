/** The golden streams of tests/vectors/prefixel through the kit's front door. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { StreamError, decode, decodeMany, sketch, upgrade } from "../../service/static/kit/index.js";
import { readNpz } from "./npz.js";

const folder = fileURLToPath(new URL("../vectors/prefixel/", import.meta.url));
const { streams } = JSON.parse(readFileSync(`${folder}streams.json`));
const pictures = readNpz(`${folder}pictures.npz`);

for (const { name, stream, prefixes, symbols } of streams) {
  test(`${name}: symbols identical, pixels within 1`, async () => {
    for (const length of prefixes) {
      const bytes = Uint8Array.from(Buffer.from(stream, "hex")).subarray(0, length);
      const picture = await decode(bytes);
      assert.equal(picture.symbols, symbols[length]);
      assert.deepEqual([picture.width, picture.height, picture.isFinal], [32, 32, true]);
      const expected = pictures[`${name}-${length}`].data;
      let worst = 0;
      for (let k = 0; k < expected.length; k += 1) {
        const found = picture.rgba[4 * Math.floor(k / 3) + (k % 3)];
        worst = Math.max(worst, Math.abs(found - expected[k]));
      }
      assert.ok(worst <= 1, `${length} bytes: ${worst} levels`);
    }
  });
}

const whole = Uint8Array.from(Buffer.from(streams[0].stream, "hex"));

test("an upgraded picture is that of the longer prefix", async () => {
  const picture = await upgrade(await decode(whole.subarray(0, 64)), whole.subarray(64, 200));
  assert.deepEqual(picture.rgba, (await decode(whole.subarray(0, 200))).rgba);
  assert.deepEqual(picture.bytes, whole.subarray(0, 200));
});

test("a bad stream among many is told, and the others are painted", async () => {
  const [good, bad, other] = await decodeMany([whole, Uint8Array.of(0, 0), whole]);
  assert.ok(bad instanceof StreamError);
  assert.deepEqual(good.rgba, other.rgba);
  await assert.rejects(decode(Uint8Array.of(1)), StreamError);
  assert.throws(() => sketch(Uint8Array.of(1)), StreamError);
});
