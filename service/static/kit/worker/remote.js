/** A decoder of thumbnails that is in a worker, where one can be. */

import { StreamError } from "../core/header.js";
import { startWorker } from "./start.js";

/** The decoder once it runs; null where none can be. */
export async function startDecoder(ended) {
  const worker = await startWorker("worker");
  return worker && new RemoteDecoder(worker, ended);
}

class RemoteDecoder {
  #worker;
  #given = new Set();
  #waiting = new Map();
  #asked = 0;

  constructor(worker, ended) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#settle(data));
    worker.addEventListener("error", (event) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message));
      this.#waiting.clear();
      ended();
    });
  }

  giveTables(version, tables) {
    this.#give(`tables ${version}`, { work: "giveTables", version, asset: tables });
  }

  giveWeights(version, weights) {
    this.#give(`weights ${version}`, { work: "giveWeights", version, asset: weights });
  }

  paint(work, streams) {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, work, streams });
    });
  }

  #give(name, message) {
    if (this.#given.has(name)) return;
    this.#given.add(name);
    this.#worker.postMessage(message);
  }

  #settle({ id, pictures, failed }) {
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failed) reject(new Error(failed));
    else resolve(pictures.map((one) => (one.refused ? new StreamError(one.refused) : one)));
  }
}
