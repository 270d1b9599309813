/** The decoder of photos in a worker: tables are given, then bytes come and pictures go. */

import { StreamError } from "../core/header.js";
import { PhotoDecoder } from "../photo/decoder.js";
// what these import, asked for at once and not when each has come
import {} from "../photo/corrected.js";
import {} from "../photo/geometry.js";
import {} from "../photo/header.js";
import {} from "../photo/kernel.js";
import {} from "../photo/network.js";
import {} from "../photo/photo.js";
import {} from "../photo/precision.js";
import {} from "../photo/state.js";
import {} from "../photo/tables.js";

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
