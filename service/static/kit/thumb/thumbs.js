/**
 * Thumbnails' streams to pictures, off the main thread where there are workers. This thread fetches
 * what a version needs, and gives it to whoever decodes.
 */

import { StreamError, readHeader } from "../core/header.js";
import { Turn } from "../core/turns.js";
import { startDecoder } from "../worker/remote.js";
import { WIRE_ID } from "./codec.js";
import { Decoder } from "./decoder.js";
import { NEWEST, VERSIONS } from "./versions.js";

const here = new Decoder();
const fetched = new Map();
let remote = null;

/** Paint a prefix of a thumbnail. Rejects with StreamError for bytes that are none. */
export async function decodeThumb(bytes) {
  const [picture] = await decodeMany([bytes]);
  if (picture instanceof StreamError) throw picture;
  return picture;
}

/** Paint many prefixes in one message; in place of one that cannot be, its StreamError. */
export function decodeMany(streams) {
  return paint("decode", streams);
}

/** The same in closed form, which waits for no network. */
export function sketchMany(streams) {
  return paint("sketch", streams);
}

/** Paint one prefix at once, in closed form. Throws StreamError, also for an older version. */
export function sketch(bytes) {
  prepareSketches();
  return here.sketch(bytes);
}

/** What the first sketch would do; a turn of its own for pages that mind. */
export function prepareSketches() {
  if (!here.has(NEWEST)) here.giveTables(NEWEST, VERSIONS[NEWEST].tables());
}

/** Start the worker and fetch the network now. Rejects where the weights are away. */
export async function preload() {
  await decodeMany([]);
}

async function paint(work, streams) {
  remote ??= startDecoder(() => {
    remote = null;
  });
  const [worker, assets] = await Promise.all([
    remote,
    Promise.all(versionsOf(streams).map((version) => assetsOf(work, version))),
  ]);
  const decoder = worker ?? here;
  for (const { version, tables, weights } of assets) {
    decoder.giveTables(version, tables);
    if (weights !== undefined) await decoder.giveWeights(version, weights);
  }
  return worker ? worker.paint(work, streams) : inTurns(work, streams);
}

async function inTurns(work, streams) {
  const pictures = [];
  const turn = new Turn();
  for (const bytes of streams) {
    pictures.push(...here.paint(work, [bytes]));
    if (turn.isOver) await turn.next();
  }
  return pictures;
}

/** The versions of streams that this kit has; the newest for none. */
function versionsOf(streams) {
  const versions = new Set(streams.length === 0 ? [NEWEST] : []);
  for (const bytes of streams) {
    try {
      const { wireId, version } = readHeader(bytes);
      if (wireId === WIRE_ID && version in VERSIONS) versions.add(version);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error; // the decoder tells
    }
  }
  return [...versions];
}

async function assetsOf(work, version) {
  const [tables, weights] = await Promise.all([
    VERSIONS[version].tables(),
    work === "decode" || VERSIONS[version].weights === null ? weightsOf(version) : undefined,
  ]);
  return { version, tables, weights };
}

/** The bytes of a version's weights, or null; rejects, and may be tried again, where they fail. */
function weightsOf(version) {
  if (!fetched.has(version)) {
    const { weights } = VERSIONS[version];
    const bytes = weights === null ? Promise.resolve(null) : weights();
    fetched.set(version, bytes);
    bytes.catch(() => fetched.delete(version));
  }
  return fetched.get(version);
}
