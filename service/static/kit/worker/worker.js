/** The decoder in a worker: many streams in a message, many pictures in the answer. */

import { StreamError } from "../thumb/codec.js";
import { decodeMany, load, newestCodec, sketchMany } from "../thumb/decoder.js";
// asked for at once
import "../thumb/kernel.js";
import "../thumb/synthesis.js";
import "../thumb/versions.js";

const WORK = {
  async decode(streams) {
    await load();
    return decodeMany(streams);
  },
  sketch: sketchMany,
};

addEventListener("message", async ({ data: { id, work, streams } }) => {
  try {
    const found = await WORK[work](streams);
    const pictures = found.map((one) => (one instanceof StreamError ? { refused: one.message } : one));
    const buffers = found.flatMap((one) => (one instanceof StreamError ? [] : [one.rgba.buffer]));
    postMessage({ id, pictures }, { transfer: buffers });
  } catch (error) {
    postMessage({ id, failed: String(error) });
  }
});

load().catch(() => {}); // told when it is needed
postMessage({ ready: true });
newestCodec();
