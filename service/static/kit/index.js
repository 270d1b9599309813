/**
 * Prefixel streams to pictures, off the main thread where there are workers.
 *
 *     const { rgba, width, height, aspect } = await decode(bytes);
 */

import { StreamError } from "./thumb/codec.js";
import * as here from "./thumb/decoder.js";
import { Turn } from "./core/turns.js";

export { StreamError, readHeader } from "./thumb/codec.js";
export { sketch } from "./thumb/decoder.js";
export { fetchThumbs, readContainer } from "./core/container.js";

let remote = null;

/** Paint any prefix. Rejects with StreamError for bytes that are none. */
export async function decode(bytes) {
  const [picture] = await decodeMany([bytes]);
  if (picture instanceof StreamError) throw picture;
  return picture;
}

/** Paint many prefixes in one message; in place of one that cannot be, its StreamError. */
export function decodeMany(streams) {
  return inWorker("decode", streams);
}

/** The same in closed form, which waits for no network. */
export function sketchMany(streams) {
  return inWorker("sketch", streams);
}

async function inWorker(work, streams) {
  remote ??= startWorker();
  const worker = await remote;
  if (worker) return worker.ask(work, streams);
  if (work === "decode") await here.load();
  const paint = work === "decode" ? here.decodeMany : here.sketchMany;
  const pictures = [];
  const turn = new Turn();
  for (const bytes of streams) {
    pictures.push(...(await paint([bytes])));
    if (turn.isOver) await turn.next();
  }
  return pictures;
}

/** Start the worker and fetch the network now. Rejects where the weights are away. */
export async function preload() {
  await decodeMany([]);
}

/** Paint a picture anew with the bytes that follow those it was painted from. */
export function upgrade(picture, more) {
  const bytes = new Uint8Array(picture.bytes.length + more.length);
  bytes.set(picture.bytes);
  bytes.set(more, picture.bytes.length);
  return decode(bytes);
}

/** The worker once it runs; null where none can be: Node, or a policy that forbids it. */
async function startWorker() {
  if (typeof Worker === "undefined" || typeof document === "undefined") return null;
  const url = new URL("./worker/worker.js", import.meta.url).href;
  const isOurs = url.startsWith(`${location.origin}/`);
  const source = new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" });
  const start = isOurs ? url : URL.createObjectURL(source);
  try {
    const worker = new Worker(start, { type: "module", name: "prefixel" });
    await new Promise((resolve, reject) => {
      worker.addEventListener("message", resolve, { once: true });
      worker.addEventListener("error", reject, { once: true });
    });
    return new RemoteDecoder(worker);
  } catch {
    return null; // decoded in this thread then, a slice at a time
  } finally {
    if (!isOurs) URL.revokeObjectURL(start);
  }
}

class RemoteDecoder {
  constructor(worker) {
    this.worker = worker;
    this.waiting = new Map();
    this.asked = 0;
    worker.addEventListener("message", ({ data }) => this.settle(data));
    worker.addEventListener("error", (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message));
      this.waiting.clear();
      remote = null;
    });
  }

  ask(work, streams) {
    this.asked += 1;
    const id = this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, work, streams });
    });
  }

  settle({ id, pictures, failed }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (failed) reject(new Error(failed));
    else resolve(pictures.map((one) => (one.refused ? new StreamError(one.refused) : one)));
  }
}
