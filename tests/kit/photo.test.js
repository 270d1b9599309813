/** Photos: the golden streams, and what the service knows of each coefficient at many cuts. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { StreamError, UnpaintableError } from "../../service/static/kit/core/header.js";
import { PhotoDecoder } from "../../service/static/kit/photo/decoder.js";
import { readPhotoHeader } from "../../service/static/kit/photo/header.js";
import { kernelModule } from "../../service/static/kit/photo/kernel.js";
import { Photo } from "../../service/static/kit/photo/photo.js";
import { unpack } from "../../service/static/kit/photo/tables.js";
import { PhotoStream } from "../../service/static/kit/photo/photos.js";
import { NEWEST, VERSIONS } from "../../service/static/kit/photo/versions.js";
import { readNpz } from "./npz.js";

const folder = fileURLToPath(new URL("../vectors/photo.1/", import.meta.url));
const { streams } = JSON.parse(readFileSync(`${folder}streams.json`));
const pictures = readNpz(`${folder}pictures.npz`);
const kernel = await WebAssembly.compile(kernelModule());
const tables = await unpack(kernel, await VERSIONS[1].tables());

function bytesOf(text) {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

/** Furthest that a picture's samples are from those of [H, W, 3]. */
function distance({ rgba }, expected) {
  let worst = 0;
  for (let k = 0; k < expected.length; k += 1) {
    worst = Math.max(worst, Math.abs(rgba[4 * Math.floor(k / 3) + (k % 3)] - expected[k]));
  }
  return worst;
}

for (const { name, stream, prefixes, symbols } of streams) {
  test(`${name}: symbols identical, pixels within 1, resumed or not`, async () => {
    const whole = bytesOf(stream);
    const resumed = await Photo.open(kernel, tables, whole);
    for (const length of prefixes) {
      const photo = await Photo.open(kernel, tables, whole.subarray(0, length));
      assert.equal(photo.advance(whole.subarray(0, length)), symbols[length]);
      assert.equal(resumed.advance(whole, length), symbols[length]);
      assert.deepEqual(resumed.coefficients(), photo.coefficients());
      const picture = photo.paint();
      assert.deepEqual(resumed.paint(), picture);
      assert.ok(distance(picture, pictures[`${name}-${length}`].data) <= 1, `${length} bytes`);
    }
  });
}

const cases = process.env.KIT_CASES && readNpz(`${process.env.KIT_CASES}/photo.npz`);

const wide = process.env.KIT_CASES && readNpz(`${process.env.KIT_CASES}/networks.npz`);

/** Every coefficient at all cuts, and with `isPainted` every pixel that is painted of them. */
async function compare(cases, load, isPainted) {
  const { data: lengths } = cases.lengths;
  const { data: cuts } = cases.cuts;
  const newest = await unpack(kernel, await load());
  let at = 0;
  for (let n = 0; n < lengths.length; n += 1) {
    const stream = cases.streams.data.subarray(at, at + lengths[n]);
    at += lengths[n];
    const photo = await Photo.open(kernel, newest, stream);
    for (let k = 0; k < cuts.length / lengths.length; k += 1) {
      const cut = cuts[(n * cuts.length) / lengths.length + k];
      assert.equal(photo.advance(stream, cut), cases[`symbols-${n}-${k}`].data[0]);
      const { known, negative } = photo.coefficients();
      assert.deepEqual(known, cases[`known-${n}-${k}`].data);
      assert.deepEqual(Int8Array.from(negative), cases[`negative-${n}-${k}`].data);
      for (const splits of isPainted ? [0, 1, 2] : []) {
        const picture = photo.paint(splits);
        const { shape, data } = cases[`painted-${n}-${k}-${splits}`];
        assert.deepEqual([picture.height, picture.width, 3], shape);
        assert.ok(distance(picture, data) <= 1, `stream ${n}, ${cut} bytes, ${splits} splits`);
      }
    }
  }
}

test("what is known of each coefficient is what the service knows", { skip: !cases }, async () => {
  await compare(cases, VERSIONS[NEWEST].tables, true);
});

test("and of streams with networks, whose rules are wide", { skip: !wide }, async () => {
  await compare(wide, VERSIONS[NEWEST].networkTables, false);
});

test("noise and headers that lie are refused or read, never more than that", async () => {
  const whole = bytesOf(streams[0].stream);
  const refused = [
    [], [0x81], [0x81, 0x81], [...whole.subarray(0, 4)],
    [0x81, 0x80, 0xc0, 8, 8], [0x81, 0x80, 0x01, 8, 8], [0x81, 0x80, 0, 0, 8], [0x81, 0x80, 0, 0x88, 0, 8],
    [0x81, 0x82, 0, 8, 8], [0x11, 0x80, 0, 8, 8], [0x81, 0x80, 0, 0x80, 0x7f, 0x80, 0x7f],
  ];
  for (const bytes of refused) {
    assert.throws(() => readPhotoHeader(Uint8Array.from(bytes)), StreamError, String(bytes));
  }
  const other = Uint8Array.from(whole);
  other[0] += 1;
  await assert.rejects(Photo.open(kernel, tables, other), StreamError);
  let seed = 1;
  for (let n = 0; n < 20; n += 1) {
    const noise = Uint8Array.from(whole, (byte, at) => {
      seed = (seed * 48271) % 2147483647;
      return at < 5 ? byte : seed & 255;
    });
    const photo = await Photo.open(kernel, tables, noise);
    assert.ok(photo.advance(noise) > 0);
    photo.paint();
  }
});

test("a stream with networks has tables of its own, and a later version none here", async () => {
  const withNetworks = Uint8Array.from([0x82, 0x80, 0x20, 0x80, 1, 0x80, 1, 1, 2, 3]);
  const later = Uint8Array.from([0x87, 0x80, 0, 0x80, 1, 0x80, 1, 1, 2, 3]);
  const newest = await unpack(kernel, await VERSIONS[2].tables());
  assert.ok(readPhotoHeader(withNetworks).hasNetworks);
  await assert.rejects(Photo.open(kernel, newest, withNetworks), StreamError);
  await assert.rejects(new PhotoStream().paint(later), UnpaintableError);
});

/** Paints a prefix of `bytes`, from `from` on, at a size of a page. */
function paint(decoder, key, bytes, from, length) {
  const part = bytes.slice(from, length);
  return decoder.paint({ key, from, bytes: part, length, width: 60, height: 40, isDraft: false });
}

test("many photos in turns, and one too large to keep, are what each is alone", async () => {
  const sources = streams.map(({ stream }) => bytesOf(stream));
  const large = Uint8Array.from([0x81, 0x80, 0, 0x80, 0x20, 0x80, 0x20, ...sources[0].subarray(5)]);
  sources.push(large); // 4096x4096: 250 MB of what is known
  const decoder = new PhotoDecoder({ sliceBytes: 100, sliceCells: 100, pause: () => {} });
  decoder.giveTables(1, await VERSIONS[1].tables());
  const first = sources.map((bytes, key) => paint(decoder, key, bytes, 0, 30));
  await Promise.all(first);
  const found = await Promise.all(sources.map((bytes, key) => paint(decoder, key, bytes, 30, 600)));
  for (const [n, bytes] of sources.entries()) {
    const photo = await Photo.open(kernel, tables, bytes);
    assert.equal(found[n].symbols, photo.advance(bytes, 600));
    const { width, height, rgba } = found[n];
    const splits = photo.sizes.findIndex((size) => size.width === width && size.height === height);
    assert.deepEqual(rgba, photo.paint(splits).rgba);
    assert.ok(found[n].isFinal);
  }
});
