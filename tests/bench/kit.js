/**
 * `node tests/bench/kit.js WEIGHTS`: milliseconds a thumbnail of each step of the kit, 64 bytes.
 *
 * WEIGHTS is a file of a synthesis network (`python -m tests.kit.cases DIR` makes a random one).
 */

import { readFileSync } from "node:fs";

import { Codec, precision, toRgba } from "../../service/static/kit/thumb/codec.js";
import {
  makeNetwork,
  makeScriptNetwork,
  readWeights,
} from "../../service/static/kit/thumb/synthesis.js";
import { NEWEST, VERSIONS } from "../../service/static/kit/thumb/versions.js";

const BYTES = 64;
const RUNS = 9;
const PICTURES = 120;

const golden = new URL("../vectors/prefixel/streams.json", import.meta.url);
const streams = JSON.parse(readFileSync(golden)).streams.map(({ stream }) => {
  return Uint8Array.from(Buffer.from(stream, "hex")).subarray(0, BYTES);
});
const codec = new Codec(await VERSIONS[NEWEST].tables());
const layers = readWeights(readFileSync(process.argv[2]));
const known = streams.map((bytes) => codec.parse(bytes));
const painted = known.map((one) => codec.paint(one));
const told = known.map(precision);

/** The median over runs, after one that does not count. */
function time(name, work) {
  const took = [];
  for (let run = 0; run <= RUNS; run += 1) {
    const began = performance.now();
    for (let n = 0; n < PICTURES; n += 1) work(n % streams.length);
    took.push((performance.now() - began) / PICTURES);
  }
  const sorted = took.slice(1).sort((a, b) => a - b);
  console.log(`${name.padEnd(24)} ${sorted[RUNS >> 1].toFixed(3)} ms`);
}

time("parse", (n) => codec.parse(streams[n]));
time("closed form", (n) => codec.paint(known[n]));
time("to RGBA", (n) => toRgba(painted[n]));
for (const network of [await makeNetwork(layers), makeScriptNetwork(layers)]) {
  time(`network, ${network.kind}`, (n) => network.run(painted[n], told[n]));
}
