/**
 * The decoder of photos in a worker: tables are given, then bytes come and pictures go. Pages load
 * worker/photo-worker.js, which is this and all that it needs in one file: a worker's modules, one
 * by one, took longer than the first pictures.
 */

import { StreamError } from "../core/header.js";
import { PhotoDecoder } from "./decoder.js";

/** About 25 ms of parsing, or of correcting. */
const SLICES = { sliceBytes: 8192, sliceCells: 512 };
const { port1, port2 } = new MessageChannel();

/** Until the messages that are here already were taken. */
function pause() {
  return new Promise((resume) => {
    port1.onmessage = resume;
    port2.postMessage(null);
  });
}

const decoder = new PhotoDecoder({ ...SLICES, pause });

addEventListener("message", async ({ data: { id, work, ...given } }) => {
  try {
    if (work !== "paint") {
      decoder[work](...given.given);
      return;
    }
    const picture = await decoder.paint(given);
    postMessage({ id, picture }, { transfer: picture ? [picture.rgba.buffer] : [] });
  } catch (error) {
    postMessage({ id, failed: error.message, isStream: error instanceof StreamError });
  }
});

postMessage({ ready: true });
