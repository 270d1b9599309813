/** Many prefixes in one request: /v1/thumbs and its container (CONTAINER.md). */

import { StreamError } from "./header.js";

const MAGIC = [0x50, 0x58, 0x4c, 0x43];
const VERSION = 1;
const STATES = ["ok", "unknown", "unavailable"];
const V_BYTES = 4;
const VARINT_BYTES = 5;
/** Most ids in one request, as the service has it unless it is set otherwise. */
const IDS = 256;

/**
 * The first `bytes` bytes of each image's stream, in the order of `ids`, one request for all.
 * Rejects with the answer's problem where the server refuses, StreamError where it is no container.
 */
export async function fetchThumbs(server, ids, { bytes, codec = "prefixel", signal } = {}) {
  const parts = [];
  for (let at = 0; at < ids.length; at += IDS) {
    const query = new URLSearchParams({ ids: ids.slice(at, at + IDS), bytes, codec });
    const url = `${server}/v1/thumbs?${query}`.replaceAll("%2C", ",");
    parts.push(fetch(url, { signal }).then(entriesOf));
  }
  return (await Promise.all(parts)).flat();
}

async function entriesOf(answer) {
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return readContainer(new Uint8Array(await answer.arrayBuffer()));
}

/** The entries of a container: state, and for "ok" v, total and bytes. Throws StreamError. */
export function readContainer(body) {
  const reader = new Reader(body);
  if (!MAGIC.every((letter) => letter === reader.byte())) {
    throw new StreamError("a container begins with PXLC");
  }
  if (reader.byte() !== VERSION) throw new StreamError("a container of another version");
  const count = reader.varint();
  if (count > reader.left) throw new StreamError("more entries than bytes");
  const entries = Array.from({ length: count }, () => reader.entry());
  if (reader.left > 0) throw new StreamError("bytes follow the last entry");
  return entries;
}

class Reader {
  constructor(body) {
    this.body = body;
    this.at = 0;
  }

  get left() {
    return this.body.length - this.at;
  }

  take(length) {
    if (length > this.left) throw new StreamError("the container ends within an entry");
    this.at += length;
    return this.body.subarray(this.at - length, this.at);
  }

  byte() {
    return this.take(1)[0];
  }

  varint() {
    let number = 0;
    for (let n = 0; n < VARINT_BYTES; n += 1) {
      const byte = this.byte();
      number += (byte & 0x7f) * 2 ** (7 * n);
      if (byte < 0x80) {
        if ((n > 0 && byte === 0) || number >= 2 ** 32) break;
        return number;
      }
    }
    throw new StreamError("not a number in its shortest form, under 2^32");
  }

  entry() {
    const state = STATES[this.byte()];
    if (state === undefined) throw new StreamError("not a state");
    if (state !== "ok") return { state };
    const v = Array.from(this.take(V_BYTES), (one) => one.toString(16).padStart(2, "0")).join("");
    const total = this.varint();
    const length = this.varint();
    if (length > total) throw new StreamError("a prefix longer than its stream");
    return { state, v, total, bytes: this.take(length).slice() };
  }
}
