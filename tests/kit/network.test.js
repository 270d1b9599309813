/** Photos with networks: the golden streams, painted as the service does, in whatever order. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { PhotoDecoder } from "../../service/static/kit/photo/decoder.js";
import { kernelModule } from "../../service/static/kit/photo/kernel.js";
import { Network } from "../../service/static/kit/photo/network.js";
import { kernelModule as networkModule } from "../../service/static/kit/photo/network_kernel.js";
import { Photo } from "../../service/static/kit/photo/photo.js";
import { decodePhoto } from "../../service/static/kit/photo/photos.js";
import { unpack } from "../../service/static/kit/photo/tables.js";
import { NEWEST, VERSIONS } from "../../service/static/kit/photo/versions.js";
import { readNpz } from "./npz.js";

const folder = fileURLToPath(new URL("../vectors/photo/", import.meta.url));
const { streams } = JSON.parse(readFileSync(`${folder}streams.json`));
const pictures = readNpz(`${folder}pictures.npz`);
const kernel = await WebAssembly.compile(kernelModule());
const { networkTables, weights } = VERSIONS[NEWEST];
const tables = await unpack(kernel, await networkTables());
const network = new Network(await WebAssembly.compile(networkModule()), await weights());
const withNetworks = streams.filter(({ name }) => name.startsWith("networks"));
const cases = process.env.KIT_CASES && readNpz(`${process.env.KIT_CASES}/networks.npz`);

/** Furthest that a picture's samples are from those of [H, W, 3]. */
function distance({ rgba }, expected) {
  let worst = 0;
  for (let k = 0; k < expected.length; k += 1) {
    worst = Math.max(worst, Math.abs(rgba[4 * Math.floor(k / 3) + (k % 3)] - expected[k]));
  }
  return worst;
}

/** Furthest that two are apart. */
function apart(one, other) {
  assert.equal(one.length, other.length);
  return one.reduce((worst, sample, n) => Math.max(worst, Math.abs(sample - other[n])), 0);
}

async function opened(bytes, length = bytes.length) {
  const photo = await Photo.open(kernel, tables, bytes);
  photo.advance(bytes, length);
  return photo;
}

/** Corrected in these parts of its height, in their order, so many cells at once. */
function painted(photo, splits = 0, parts = [[0, 1]], most = 100) {
  if (!photo.begins(network)) return photo.paint(splits);
  const corrected = photo.correct(network, most);
  for (const part of parts) {
    const [from, to] = part.map((share) => Math.round(share * corrected.rows));
    for (const _ of corrected.run(from, to));
  }
  const picture = corrected.paint(splits);
  corrected.close();
  return picture;
}

for (const { name, stream, prefixes, symbols } of withNetworks) {
  test(`${name}: symbols identical, pixels within 1`, async () => {
    const bytes = Uint8Array.from(Buffer.from(stream, "hex"));
    for (const length of prefixes) {
      const photo = await opened(bytes, length);
      assert.equal(photo.symbols, symbols[length]);
      const picture = painted(photo);
      const furthest = distance(picture, pictures[`${name}-${length}`].data);
      assert.ok(furthest <= 1, `${length} bytes: ${furthest}`);
    }
  });
}

test("at many cuts and resolutions pixels are within 1", { skip: !cases }, async () => {
  const { data: lengths } = cases.lengths;
  const { data: cuts } = cases.cuts;
  let at = 0;
  for (let n = 0; n < lengths.length; n += 1) {
    const stream = cases.streams.data.subarray(at, at + lengths[n]);
    at += lengths[n];
    for (let k = 0; k < cuts.length / lengths.length; k += 1) {
      const cut = cuts[(n * cuts.length) / lengths.length + k];
      for (const splits of [0, 1, 2]) {
        const picture = painted(await opened(stream, cut), splits);
        const { shape, data } = cases[`painted-${n}-${k}-${splits}`];
        assert.deepEqual([picture.height, picture.width, 3], shape);
        const furthest = distance(picture, data);
        assert.ok(furthest <= 1, `stream ${n}, ${cut} bytes, ${splits} splits: ${furthest}`);
      }
    }
  }
});

const bytes = Uint8Array.from(Buffer.from(withNetworks.at(-1).stream, "hex"));

test("parts in whatever order and size have no seams", async () => {
  const whole = painted(await opened(bytes)).rgba;
  for (const [parts, most] of [
    [[[0.4, 0.6], [0, 0.4], [0.6, 1]], 1],
    [[[0.7, 1], [0.1, 0.7], [0, 0.1]], 64],
    [[[0, 1]], 1e6],
  ]) {
    assert.equal(apart(painted(await opened(bytes), 0, parts, most).rgba, whole), 0);
  }
});

test("what is not corrected is the closed form's, and stays when more is parsed", async () => {
  const photo = await opened(bytes, 1500);
  const closed = photo.paint().rgba;
  const corrected = photo.correct(network, 100);
  assert.ok(apart(corrected.paint(0).rgba, closed) <= 1); // factors in another order
  for (const _ of corrected.run(0, 10)) break;
  corrected.close();
  photo.advance(bytes);
  assert.equal(apart(photo.paint().rgba, (await opened(bytes)).paint().rgba), 0);
  assert.ok(apart(painted(photo).rgba, photo.paint().rgba) > 3);
});

/** Of a decoder that is given all; `pause` is awaited between its slices. */
async function decoderOf(pause) {
  const decoder = new PhotoDecoder({ sliceBytes: 500, sliceCells: 10, pause });
  decoder.giveTables(NEWEST, await networkTables());
  decoder.giveNetwork(NEWEST, { code: networkModule(), weights: await weights() });
  return decoder;
}

function asked(decoder, from, length, within) {
  const part = bytes.slice(from, length);
  const need = { width: Infinity, height: Infinity, isDraft: false };
  return decoder.paint({ key: 1, from, bytes: part, length, ...need, within });
}

test("a picture is rough, then corrected in view, then everywhere", async () => {
  const decoder = await decoderOf(() => {});
  const photo = await opened(bytes);
  const rough = await asked(decoder, 0, bytes.length, null);
  assert.equal(apart(rough.rgba, photo.paint().rgba), 0);
  const inView = await asked(decoder, bytes.length, bytes.length, [0.3, 0.5]);
  const all = await asked(decoder, bytes.length, bytes.length, [0, 1]);
  assert.deepEqual([rough, inView, all].map(({ isRough, isFinal }) => [isRough, isFinal]), [
    [true, false], [true, false], [false, true],
  ]);
  assert.equal(apart(all.rgba, painted(photo).rgba), 0);
  const row = (picture, share) => {
    const at = 4 * picture.width * Math.round(share * picture.height);
    return picture.rgba.subarray(at, at + 4 * picture.width);
  };
  assert.ok(apart(row(inView, 0.4), row(all, 0.4)) <= 1); // the wavelet reaches further than rows
  assert.ok(apart(row(inView, 0.9), row(rough, 0.9)) <= 1);
  assert.ok(apart(row(all, 0.9), row(rough, 0.9)) > 1);
});

test("more bytes end the correction of less", async () => {
  let slices = 0;
  const decoder = await decoderOf(() => {
    slices += 1;
    if (slices === 12) decoder.interrupt(1);
    return new Promise(setImmediate);
  });
  assert.equal(await asked(decoder, 0, 1500, [0, 1]), null);
  assert.equal(slices, 12);
  const all = await asked(decoder, 1500, bytes.length, [0, 1]);
  assert.equal(apart(all.rgba, painted(await opened(bytes)).rgba), 0);
});

test("decode corrects by itself", async () => {
  const { rgba, isFinal } = await decodePhoto(bytes);
  assert.ok(isFinal);
  assert.equal(apart(rgba, painted(await opened(bytes)).rgba), 0);
});
