/**
 * Streams to pictures in this thread, by the tables and networks that it was given. It fetches
 * nothing, so that a worker is this code alone, and any bundler can make one.
 */

import { StreamError, readHeader } from "../core/header.js";
import { Codec, SIDE, WIRE_ID, precision, toRgba } from "./codec.js";
import { makeNetwork, readWeights } from "./synthesis.js";

/** Closed forms that are kept by their bytes, for the network that is on its way. */
const KEPT = 256;

export class Decoder {
  #codecs = new Map();
  #networks = new Map();
  #kept = new Map();

  has(version) {
    return this.#codecs.has(version);
  }

  giveTables(version, tables) {
    if (!this.#codecs.has(version)) this.#codecs.set(version, new Codec(tables));
  }

  /** `weights`: the bytes of a file of weights; null for a version that paints without. */
  async giveWeights(version, weights) {
    if (this.#networks.has(version)) return;
    this.#networks.set(version, weights && (await makeNetwork(readWeights(weights))));
  }

  /** Paint one prefix with its network, which was given. Throws StreamError. */
  decode(bytes) {
    const codec = this.#codecOf(bytes);
    const network = this.#networks.get(codec.version);
    if (network === undefined) throw new Error(`no weights of version ${codec.version} were given`);
    const name = String(bytes);
    const form = this.#kept.get(name) ?? closedForm(codec, bytes);
    this.#kept.delete(name);
    return finished(form, network, bytes, true);
  }

  /** Paint one prefix in closed form. Throws StreamError. */
  sketch(bytes) {
    const codec = this.#codecOf(bytes);
    const form = closedForm(codec, bytes);
    this.#kept.set(String(bytes), form);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return finished(form, null, bytes, this.#networks.get(codec.version) === null);
  }

  /** Many, by the name of the work; in place of a picture that cannot be, its StreamError. */
  paint(work, streams) {
    return streams.map((bytes) => {
      try {
        return this[work](bytes);
      } catch (error) {
        if (error instanceof StreamError) return error;
        throw error;
      }
    });
  }

  #codecOf(bytes) {
    const { wireId, version } = readHeader(bytes);
    const codec = wireId === WIRE_ID ? this.#codecs.get(version) : undefined;
    if (codec) return codec;
    throw new StreamError(`no decoder here for wire id ${wireId} version ${version}`);
  }
}

/** What both the closed form and the network need to paint a prefix. */
function closedForm(codec, bytes) {
  const known = codec.parse(bytes);
  return { painted: codec.paint(known), told: precision(known), symbols: known.symbols };
}

function finished({ painted, told, symbols }, network, bytes, isFinal) {
  const { aspect } = readHeader(bytes);
  const rgba = toRgba(network ? network.run(painted, told) : painted);
  return { width: SIDE, height: SIDE, aspect, rgba, bytes, symbols, isFinal };
}
