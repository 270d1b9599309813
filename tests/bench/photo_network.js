/**
 * `node tests/bench/photo_network.js STREAM..`: milliseconds of each step of a photo with networks,
 * and seconds of a core that the network takes a megapixel. `STREAM`s are files of
 * `prefixel encode --codec photo`, cut to half a bit a pixel. Medians of 5.
 */

import { readFileSync } from "node:fs";

import { kernelModule } from "../../service/static/kit/photo/kernel.js";
import { Network } from "../../service/static/kit/photo/network.js";
import { kernelModule as networkModule } from "../../service/static/kit/photo/network_kernel.js";
import { Photo } from "../../service/static/kit/photo/photo.js";
import { unpack } from "../../service/static/kit/photo/tables.js";
import { NEWEST, VERSIONS } from "../../service/static/kit/photo/versions.js";

const RUNS = 5;
const BITS_A_PIXEL = 0.5;
const CELLS = 512;

const kernel = await WebAssembly.compile(kernelModule());
const tables = await unpack(kernel, await VERSIONS[NEWEST].networkTables());
const weights = await VERSIONS[NEWEST].weights();
const network = new Network(await WebAssembly.compile(networkModule()), weights);

/** Milliseconds of a core that the process has used. */
function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function measured(bytes) {
  const photo = await Photo.open(kernel, tables, bytes);
  const { width, height } = photo.header;
  const times = [used()];
  photo.advance(bytes, (width * height * BITS_A_PIXEL) / 8);
  times.push(used());
  photo.paint();
  times.push(used());
  const corrected = photo.correct(network, CELLS);
  for (const _ of corrected.run());
  times.push(used());
  corrected.paint(0);
  times.push(used());
  return { megapixels: (width * height) / 1e6, took: times.slice(1).map((time, n) => time - times[n]) };
}

for (const name of process.argv.slice(2)) {
  const bytes = new Uint8Array(readFileSync(name));
  const runs = [];
  for (let run = 0; run <= RUNS; run += 1) runs.push(await measured(bytes));
  const { megapixels } = runs[0];
  const median = (n) => runs.slice(1).map(({ took }) => took[n]).sort((a, b) => a - b)[RUNS >> 1];
  const [parse, closed, correct, paint] = [0, 1, 2, 3].map(median);
  console.log(
    `${name}: ${megapixels.toFixed(2)} megapixels; a core's ms: parse ${parse.toFixed(0)}, closed form `
      + `${closed.toFixed(0)}, network ${correct.toFixed(0)}, painted ${paint.toFixed(0)}; network `
      + `${(correct / megapixels / 1000).toFixed(2)} s a megapixel, all `
      + `${((parse + correct + paint) / megapixels / 1000).toFixed(2)}`,
  );
}
