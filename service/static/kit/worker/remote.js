/** A decoder that is in a worker, where one can be. */

import { StreamError } from "../core/header.js";

/** As bundlers know it: they make a file of the worker, and put its URL here. */
let make = () => {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "prefixel" });
};

/** Let the kit's worker be made by a function of the page: a Worker that runs prefixel/worker. */
export function setWorker(made) {
  make = made;
}

/** The decoder once it runs; null where none can be: Node, or a policy that forbids it. */
export async function startWorker(ended) {
  if (typeof Worker === "undefined" || typeof document === "undefined") return null;
  for (const start of [make, makeFromElsewhere]) {
    try {
      const worker = start();
      await new Promise((resolve, reject) => {
        worker.addEventListener("message", resolve, { once: true });
        worker.addEventListener("error", reject, { once: true });
      });
      return new RemoteDecoder(worker, ended);
    } catch {
      // then the other way; without a worker this thread decodes, a slice at a time
    }
  }
  return null;
}

/** Where this module is; not in webpack's bundles, which would name a folder of their builder. */
const home = import.meta.webpack ? "about:blank" : import.meta.url;

/** A worker's script must be of the page's origin; what that script imports need not. */
function makeFromElsewhere() {
  const { href, origin } = new URL("worker.js", home);
  if (origin === location.origin) throw new Error(`${href} is no worker`);
  const source = new Blob([`import ${JSON.stringify(href)};`], { type: "text/javascript" });
  const url = URL.createObjectURL(source);
  return new Worker(url, { type: "module", name: "prefixel" });
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
