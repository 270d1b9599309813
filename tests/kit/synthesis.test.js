/** The synthesis network against PyTorch, on both kernels. Run by test_kit.py. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { COEFFICIENTS, KNOWN, PIXELS } from "../../service/static/kit/thumb/codec.js";
import { makeNetwork, makeScriptNetwork, readWeights } from "../../service/static/kit/thumb/synthesis.js";
import { readNpz } from "./npz.js";

const file = readFileSync(join(process.env.KIT_CASES, "weights.bin"));
const cases = readNpz(join(process.env.KIT_CASES, "network.npz"));
const layers = readWeights(file);
const networks = [await makeNetwork(layers), makeScriptNetwork(layers)];

/** [32, 32, 3] of picture n as planes R, G, B. */
function planes(array, n) {
  return Float32Array.from({ length: COEFFICIENTS }, (_, k) => {
    return array.data[n * COEFFICIENTS + 3 * (k % PIXELS) + Math.floor(k / PIXELS)];
  });
}

test("WebAssembly runs here, so both kernels are compared", () => {
  assert.deepEqual(networks.map((network) => network.kind), ["wasm", "js"]);
});

for (const network of networks) {
  test(`${network.kind} paints what PyTorch paints`, () => {
    for (let n = 0; n < cases.painted.shape[0]; n += 1) {
      const known = cases.known.data.subarray(n * KNOWN, (n + 1) * KNOWN);
      const found = network.run(planes(cases.painted, n), known);
      const expected = planes(cases.picture, n);
      const moved = planes(cases.painted, n);
      let worst = 0;
      let change = 0;
      for (let k = 0; k < COEFFICIENTS; k += 1) {
        worst = Math.max(worst, Math.abs(found[k] - expected[k]));
        change = Math.max(change, Math.abs(found[k] - moved[k]));
      }
      assert.ok(worst < 0.01, `${worst}`);
      assert.ok(change > 10, "the network does something");
    }
  });
}

test("weights that are cut or have bytes behind them are refused", () => {
  for (const damaged of [file.subarray(0, -1), Buffer.concat([file, Buffer.from([0])])]) {
    assert.throws(() => readWeights(damaged));
  }
});
