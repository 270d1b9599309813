/** Closed forms before the network, and the network's pictures made of those that were kept. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { StreamError } from "../../service/static/kit/core/header.js";
import {
  decodeMany,
  preload,
  sketch,
  sketchMany,
} from "../../service/static/kit/thumb/thumbs.js";

const golden = fileURLToPath(new URL("../vectors/prefixel/streams.json", import.meta.url));
const streams = JSON.parse(readFileSync(golden)).streams.map(({ stream }) => {
  return Uint8Array.from(Buffer.from(stream, "hex")).subarray(0, 64);
});

function looks(pictures) {
  return pictures.map(({ rgba }) => rgba);
}

test("a closed form is one, whether the network is here or not", async () => {
  const before = await sketchMany(streams);
  await preload();
  const after = await sketchMany(streams);
  assert.deepEqual(looks(after), looks(before));
  assert.deepEqual(looks(streams.map(sketch)), looks(before));
  assert.ok([...before, ...after].every(({ isFinal }) => !isFinal));
});

test("the network makes the same of a closed form that was kept and of the bytes", async () => {
  await sketchMany(streams);
  const refined = await decodeMany(streams);
  const anew = await decodeMany(streams);
  assert.deepEqual(refined, anew);
  assert.ok(refined.every(({ isFinal }) => isFinal));
  assert.notDeepEqual(looks(refined), looks(await sketchMany(streams)));
});

test("more streams than are kept are painted as well", async () => {
  const many = Array.from({ length: 300 }, (_, n) => {
    return Uint8Array.of(...streams[0].subarray(0, 30), n & 255, n >> 8);
  });
  await sketchMany(many);
  const refined = await decodeMany(many);
  assert.deepEqual(refined, await decodeMany(many));
  const bad = Uint8Array.of(streams[0][0] ^ 1, 128);
  assert.ok((await sketchMany([bad]))[0] instanceof StreamError);
});
