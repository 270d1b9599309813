/** The container, with the example of CONTAINER.md and with damage. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readContainer } from "../../service/static/kit/index.js";

const example = Uint8Array.from(
  Buffer.from("50584C4301020" + "09F86D081820204" + "0A805C11" + "01", "hex"),
);

test("the example of the specification", () => {
  const [first, second] = readContainer(example);
  assert.deepEqual(first, {
    state: "ok",
    v: "9f86d081",
    total: 258,
    bytes: Uint8Array.of(0x0a, 0x80, 0x5c, 0x11),
  });
  assert.deepEqual(second, { state: "unknown" });
});

test("every cut, a byte behind, and what is no state, no shortest number, too long", () => {
  for (let length = 0; length < example.length; length += 1) {
    assert.throws(() => readContainer(example.subarray(0, length)), { name: "StreamError" });
  }
  const damages = { end: [...example, 0] };
  for (const [name, at, value] of [
    ["magic", 0, 0x51],
    ["version", 4, 2],
    ["count", 5, 200],
    ["state", 6, 3],
    ["length", 13, 127],
  ]) {
    damages[name] = example.map((byte, n) => (n === at ? value : byte));
  }
  damages.shortest = [...example.subarray(0, 11), 0x80, 0x00, ...example.subarray(13)];
  for (const [name, bytes] of Object.entries(damages)) {
    assert.throws(() => readContainer(Uint8Array.from(bytes)), { name: "StreamError" }, name);
  }
});
