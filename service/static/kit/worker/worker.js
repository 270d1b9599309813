/**
 * The decoder in a worker: tables and weights are given, then many streams come in a message, and
 * many pictures go in its answer.
 */

import { StreamError } from "../core/header.js";
import { Decoder } from "../thumb/decoder.js";
// what these import, asked for at once and not when each has come
import {} from "../thumb/codec.js";
import {} from "../thumb/kernel.js";
import {} from "../thumb/synthesis.js";

const decoder = new Decoder();
let given = Promise.resolve();
let broken = null;

addEventListener("message", ({ data: { id, work, streams, version, asset } }) => {
  if (id === undefined) {
    // in their order: what follows waits for a network that is being made
    given = given.then(() => decoder[work](version, asset)).catch((error) => {
      broken = error;
    });
  } else {
    answer(id, work, streams);
  }
});

async function answer(id, work, streams) {
  try {
    await given;
    if (work === "decode" && broken) throw broken;
    const found = decoder.paint(work, streams);
    const pictures = found.map((one) => (one instanceof StreamError ? { refused: one.message } : one));
    const buffers = found.flatMap((one) => (one instanceof StreamError ? [] : [one.rgba.buffer]));
    postMessage({ id, pictures }, { transfer: buffers });
  } catch (error) {
    postMessage({ id, failed: String(error) });
  }
}

postMessage({ ready: true });
