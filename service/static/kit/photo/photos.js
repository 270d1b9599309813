/**
 * Photos' streams to pictures, off the main thread where there are workers. Loaded when a photo is
 * met. This thread fetches a version's tables, and gives them to whoever decodes.
 */

import { StreamError } from "../core/header.js";
import { Turn } from "../core/turns.js";
import { startWorker } from "../worker/start.js";
import { readPhotoHeader } from "./header.js";
import { USUAL, tablesOf } from "./stored.js";
import { VERSIONS } from "./versions.js";

/** About 5 ms of parsing, or of correcting, in the page's own thread. */
const SLICES = { sliceBytes: 2048, sliceCells: 128 };

let remote = null;
let here = null;
let keys = 0;
const given = new WeakMap();

/** What nothing but a stream's own pixels ends. */
export const ALL = { width: Infinity, height: Infinity };

/** Of a height. */
const WHOLE = [0, 1];

/** Start the worker, and give it the usual tables, while bytes are on their way. */
export function prepare() {
  decoderOf(USUAL).catch(() => {}); // who paints is told
}

/** One stream, of which longer and longer prefixes are painted. */
export class PhotoStream {
  #key;
  #sent = 0;
  #decoder = null;
  #isInterrupted = false;

  constructor() {
    keys += 1;
    this.#key = keys;
  }

  /**
   * Paint the first `length` of `bytes`, a prefix no shorter than the last one. `need`: the pixels
   * that it takes at least, of { width, height }; one that `isDraft` may have fewer. Resolves with { width,
   * height, rgba, size, symbols, length, isRough, isFinal, tookMs }: it is rough where the stream has
   * a network that would correct it, and is not by then within a part of its height, such as [0, 1].
   * What `isAway` comes last. Where it was interrupted, with null. Rejects with StreamError.
   */
  async paint(bytes, { length = bytes.length, need = ALL, within = null, ...kind } = {}) {
    const header = readPhotoHeader(bytes);
    this.#isInterrupted = false;
    const decoder = await decoderOf(header);
    if (header.hasNetworks && within) await giveNetwork(decoder, header.version);
    if (within && this.#isInterrupted) return null;
    if (decoder !== this.#decoder) this.#sent = 0; // another worker than before
    this.#decoder = decoder;
    const from = Math.min(this.#sent, length);
    this.#sent = length;
    const more = bytes.slice(from, length);
    return decoder.paint({ key: this.#key, from, bytes: more, length, ...need, within, ...kind });
  }

  /** Correct no more of it: something else is wanted. */
  interrupt() {
    this.#isInterrupted = true;
    this.#decoder?.interrupt(this.#key);
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
    const { rgba, symbols, ...painted } = await stream.paint(bytes, { need, within: WHOLE });
    return { width: painted.width, height: painted.height, aspect, rgba, bytes, symbols, isFinal: true };
  } finally {
    stream.close();
  }
}

async function decoderOf({ version, hasNetworks }) {
  remote ??= startRemote();
  const [worker, stored] = await Promise.all([remote, tablesOf({ version, hasNetworks })]);
  const decoder = worker ?? (await (here ??= ofThisThread()));
  once(decoder, `tables ${version} ${hasNetworks}`, () => decoder.giveTables(version, stored));
  return decoder;
}

/** The synthesis of a version, which is fetched when the first picture is to be corrected. */
async function giveNetwork(decoder, version) {
  const [{ kernelModule }, weights] = await Promise.all([
    import("./network_kernel.js"),
    VERSIONS[version].weights(),
  ]);
  once(decoder, `network ${version}`, () => {
    decoder.giveNetwork(version, { code: kernelModule(), weights });
  });
}

function once(decoder, name, give) {
  const names = given.get(decoder) ?? new Set();
  given.set(decoder, names);
  if (!names.has(name)) give();
  names.add(name);
}

/** Its code is not loaded where there is a worker, which has it. */
async function ofThisThread() {
  const { PhotoDecoder } = await import("./decoder.js");
  const turn = new Turn();
  return new PhotoDecoder({ ...SLICES, pause: () => (turn.isOver ? turn.next() : undefined) });
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

  giveTables(...given) {
    this.#worker.postMessage({ work: "giveTables", given });
  }

  giveNetwork(...given) {
    this.#worker.postMessage({ work: "giveNetwork", given });
  }

  interrupt(...given) {
    this.#worker.postMessage({ work: "interrupt", given });
  }

  close(...given) {
    this.#worker.postMessage({ work: "close", given });
  }

  paint(wish) {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, work: "paint", ...wish }, [wish.bytes.buffer]);
    });
  }

  #settle({ id, picture, failed, isStream }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failed === undefined) waiting.resolve(picture);
    else waiting.reject(isStream ? new StreamError(failed) : new Error(failed));
  }
}
