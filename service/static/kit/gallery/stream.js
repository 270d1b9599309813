/** A stream of which a prefix is here, and more can be fetched. */

const PARTIAL = 206;
/** What is fetched of a photo at once grows by this, so that a slider asks a few times. */
const GROWTH = 4;
const LEAST_BYTES = 4096;

export class Stream {
  #url;
  #fetching = null;

  /** `total`: bytes of all of it; `url` (with its `?v=`) may be null where all are here. */
  constructor(bytes, total = bytes.length, url = null) {
    this.bytes = bytes;
    this.total = total;
    this.#url = url;
  }

  /** Fetch up to `bytes` at least, what is not here yet. */
  async grow(bytes) {
    while (this.bytes.length < Math.min(bytes, this.total)) {
      this.#fetching ??= this.#more(bytes).finally(() => {
        this.#fetching = null;
      });
      await this.#fetching;
    }
  }

  async #more(bytes) {
    const here = this.bytes.length;
    let end = LEAST_BYTES;
    while (end < bytes) end *= GROWTH;
    const range = `bytes=${here}-${end < this.total ? end - 1 : ""}`;
    const answer = await fetch(this.#url, { headers: { range } });
    if (answer.status !== PARTIAL) throw new Error(`${this.#url}: ${answer.status}`);
    const more = new Uint8Array(await answer.arrayBuffer());
    this.total = Number(/\/(\d+)$/.exec(answer.headers.get("content-range"))[1]);
    const bytesHere = new Uint8Array(here + more.length);
    bytesHere.set(this.bytes);
    bytesHere.set(more, here);
    this.bytes = bytesHere;
  }
}
