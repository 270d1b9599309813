/** Arrays of a NumPy .npz file (a zip of .npy files), for tests: { name: { shape, data } }. */

import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

const TYPES = {
  "|u1": Uint8Array,
  "|i1": Int8Array,
  "<i4": Int32Array,
  "<f4": Float32Array,
};

export function readNpz(path) {
  const file = readFileSync(path);
  const arrays = {};
  const end = file.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  let at = file.readUInt32LE(end + 16);
  for (let left = file.readUInt16LE(end + 10); left > 0; left -= 1) {
    const method = file.readUInt16LE(at + 10);
    const packed = file.readUInt32LE(at + 20);
    const nameLength = file.readUInt16LE(at + 28);
    const name = file.toString("utf8", at + 46, at + 46 + nameLength);
    const local = file.readUInt32LE(at + 42);
    const from = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const content = file.subarray(from, from + packed);
    arrays[name.replace(/\.npy$/, "")] = readNpy(method === 8 ? inflateRawSync(content) : content);
    at += 46 + nameLength + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32);
  }
  return arrays;
}

function readNpy(npy) {
  const length = npy.readUInt16LE(8);
  const header = npy.toString("latin1", 10, 10 + length);
  const [, type] = /'descr': '([^']+)'/.exec(header);
  const [, shape] = /'shape': \(([^)]*)\)/.exec(header);
  if (!TYPES[type] || header.includes("'fortran_order': True")) throw new Error(header);
  const bytes = Uint8Array.from(npy.subarray(10 + length));
  return {
    shape: shape.split(",").filter((part) => part.trim()).map(Number),
    data: new TYPES[type](bytes.buffer),
  };
}
