/**
 * Photos' streams to pictures, off the main thread where there are workers. Loaded when a photo is
 * met. This thread fetches a version's tables, and gives them to whoever decodes.
 */

import { StreamError, UnpaintableError } from "../core/header.js";
import { Turn } from "../core/turns.js";
import { startWorker } from "../worker/start.js";
import { readPhotoHeader } from "./header.js";
import { NEWEST, VERSIONS } from "./versions.js";

/** About 5 ms of parsing in the page's own thread. */
const SLICE_BYTES = 2048;

let remote = null;
let here = null;
let keys = 0;
const given = new WeakMap();

/** What nothing but a stream's own pixels ends. */
export const ALL = { width: Infinity, height: Infinity };

/** Start the worker, and give it the newest tables, while bytes are on their way. */
export function prepare() {
  decoderOf(NEWEST).catch(() => {}); // who paints is told
}

/** One stream, of which longer and longer prefixes are painted. */
export class PhotoStream {
  #key;
  #sent = 0;
  #decoder = null;

  constructor() {
    keys += 1;
    this.#key = keys;
  }

  /**
   * Paint the first `length` of `bytes`, a prefix no shorter than the last one. `need`: the pixels
   * that it takes at least, of { width, height }; a `draft` may have fewer. Resolves with { width,
   * height, rgba, size, symbols, length, isFinal, tookMs }. Rejects with StreamError.
   */
  async paint(bytes, length = bytes.length, need = ALL, isDraft = false) {
    const { version, hasNetworks } = readPhotoHeader(bytes);
    if (hasNetworks) throw new UnpaintableError(`no network here for version ${version} of photo`);
    const decoder = await decoderOf(version);
    if (decoder !== this.#decoder) this.#sent = 0; // another worker than before
    this.#decoder = decoder;
    const from = Math.min(this.#sent, length);
    this.#sent = length;
    return decoder.paint({ key: this.#key, from, bytes: bytes.slice(from, length), length, ...need, isDraft });
  }

  /** Let go of what is kept of it. */
  close() {
    this.#decoder?.close(this.#key);
  }
}

/** Paint a prefix: with `size` the smallest resolution whose long side has so many pixels. */
export async function decodePhoto(bytes, { size = Infinity } = {}) {
  const stream = new PhotoStream();
  const { width, height, aspect } = readPhotoHeader(bytes);
  const isWide = width >= height;
  const need = { width: isWide ? size : 1, height: isWide ? 1 : size };
  try {
    const { rgba, symbols, ...painted } = await stream.paint(bytes, bytes.length, need);
    return { width: painted.width, height: painted.height, aspect, rgba, bytes, symbols, isFinal: true };
  } finally {
    stream.close();
  }
}

async function decoderOf(version) {
  remote ??= startRemote();
  if (!(version in VERSIONS)) {
    throw new UnpaintableError(`no decoder here for version ${version} of photo`);
  }
  const [worker, tables] = await Promise.all([remote, VERSIONS[version]()]);
  const decoder = worker ?? (await (here ??= ofThisThread()));
  const versions = given.get(decoder) ?? new Set();
  given.set(decoder, versions);
  if (!versions.has(version)) decoder.giveTables(version, tables);
  versions.add(version);
  return decoder;
}

/** Its code is not loaded where there is a worker, which has it. */
async function ofThisThread() {
  const { PhotoDecoder } = await import("./decoder.js");
  const turn = new Turn();
  return new PhotoDecoder(SLICE_BYTES, () => (turn.isOver ? turn.next() : undefined));
}

async function startRemote() {
  const worker = await startWorker("photo-worker");
  return worker && new RemoteDecoder(worker);
}

/** The decoder that is in a worker. */
class RemoteDecoder {
  #worker;
  #waiting = new Map();
  #asked = 0;

  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#settle(data));
    worker.addEventListener("error", ({ message }) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(message));
      this.#waiting.clear();
      remote = null;
    });
  }

  giveTables(version, tables) {
    this.#worker.postMessage({ work: "giveTables", version, tables });
  }

  paint(wish) {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, work: "paint", ...wish }, [wish.bytes.buffer]);
    });
  }

  close(key) {
    this.#worker.postMessage({ work: "close", key });
  }

  #settle({ id, picture, failed, isStream }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (picture) waiting.resolve(picture);
    else waiting.reject(isStream ? new StreamError(failed) : new Error(failed));
  }
}
