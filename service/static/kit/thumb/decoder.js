/** Streams to pictures in this thread: which version, its tables, its network once it is here. */

import { Codec, SIDE, StreamError, WIRE_ID, precision, readHeader, toRgba } from "./codec.js";
import { makeNetwork, readWeights } from "./synthesis.js";
import { NEWEST, VERSIONS } from "./versions.js";

const codecs = new Map();
const networks = new Map();

/** Closed forms by their bytes, for the network that is on its way. */
const kept = new Map();
const KEPT = 256;

/** The newest version's tables come with the kit: nothing is waited for. */
export function newestCodec() {
  if (!codecs.has(NEWEST)) codecs.set(NEWEST, new Codec(VERSIONS[NEWEST].tables()));
  return codecs.get(NEWEST);
}

async function codecOf(version) {
  if (version === NEWEST) return newestCodec();
  if (!codecs.has(version)) {
    codecs.set(version, VERSIONS[version].tables().then((tables) => new Codec(tables)));
  }
  return codecs.get(version);
}

function checkedVersion(bytes) {
  const { wireId, version } = readHeader(bytes);
  if (wireId !== WIRE_ID || !(version in VERSIONS)) {
    throw new StreamError(`no decoder here for wire id ${wireId} version ${version}`);
  }
  return version;
}

/** Fetch the network of a version; rejects, and may be tried again, where that fails. */
export function load(version = NEWEST) {
  if (!networks.has(version)) {
    const network = fetchNetwork(VERSIONS[version].weights);
    networks.set(version, network);
    network.catch(() => networks.delete(version));
  }
  return networks.get(version);
}

async function fetchNetwork(name) {
  if (name === null) return null;
  const url = new URL(name, import.meta.url);
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return makeNetwork(readWeights(await readFile(url)));
  }
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return makeNetwork(readWeights(await answer.arrayBuffer()));
}

/** Paint one prefix with its network. Rejects with StreamError, or where the weights are away. */
export async function decode(bytes) {
  const version = checkedVersion(bytes);
  const [codec, network] = await Promise.all([codecOf(version), load(version)]);
  const name = String(bytes);
  const form = kept.get(name) ?? closedForm(codec, bytes);
  kept.delete(name);
  return finished(form, network, bytes);
}

/** Paint one prefix at once, in closed form. Throws StreamError, also for an older version. */
export function sketch(bytes) {
  const version = checkedVersion(bytes);
  if (version !== NEWEST) throw new StreamError(`version ${version} is not sketched, decode it`);
  return finished(closedForm(newestCodec(), bytes), null, bytes);
}

/** The same for many, of any version; in place of a picture that cannot be, its StreamError. */
export function sketchMany(streams) {
  return settled(streams, async (bytes) => {
    const version = checkedVersion(bytes);
    const form = closedForm(await codecOf(version), bytes);
    kept.set(String(bytes), form);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    return finished(form, null, bytes);
  });
}

/** With their networks; rejects only where weights are away. */
export function decodeMany(streams) {
  return settled(streams, decode);
}

function settled(streams, paint) {
  return Promise.all(
    streams.map(async (bytes) => {
      try {
        return await paint(bytes);
      } catch (error) {
        if (error instanceof StreamError) return error;
        throw error;
      }
    }),
  );
}

/** What both the closed form and the network need to paint a prefix. */
function closedForm(codec, bytes) {
  const known = codec.parse(bytes);
  const { version } = codec;
  return { version, painted: codec.paint(known), told: precision(known), symbols: known.symbols };
}

function finished({ version, painted, told, symbols }, network, bytes) {
  const { aspect } = readHeader(bytes);
  const rgba = toRgba(network ? network.run(painted, told) : painted);
  const isFinal = network !== null || VERSIONS[version].weights === null;
  return { width: SIDE, height: SIDE, aspect, rgba, bytes, symbols, isFinal };
}
