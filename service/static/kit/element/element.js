/**
 * <prefixel-img>: a thumbnail in its box, better with every byte, then the full picture over it.
 *
 *     <prefixel-img src="/v1/images/ID/thumb.pxl?v=…" bytes="64" image="photo.jpg" alt="…">
 *       <noscript><img src="/v1/images/ID/thumb.webp?bytes=64" alt="…"></noscript>
 *     </prefixel-img>
 *
 * What stands inside, or the picture of its <noscript>, is shown where the stream cannot be.
 * Events: `paint` (a prefix is on the screen; `detail.bytes` of it), `load` (the full picture is),
 * `error` (with `error`). None bubbles.
 */

import { fetchThumbs } from "../core/container.js";
import { Turn } from "../core/turns.js";
import { StreamError, readHeader } from "../thumb/codec.js";
import { decodeMany, preload, prepareSketches, sketch, sketchMany } from "../thumb/thumbs.js";

const SHEET = `
:host { display: block; overflow: hidden }
:host([hidden]) { display: none }
div { position: relative; width: 100%; height: 100% }
canvas, img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover }
slot { display: none }
.failed slot { display: block }
.failed canvas { visibility: hidden }
img { opacity: 0; transition: opacity .4s }
.loaded img { opacity: 1 }
@media (prefers-reduced-motion: reduce) { img { transition: none } }
`;
/** How long inline streams may keep the page's own thread; those after them go to the worker. */
const SKETCHES_MS = 30;
/** Pictures in a message, few enough to show at once; messages at a time, so that none waits. */
const BATCH = 16;
const BATCHES = 2;
const HEADER_BYTES = 2;
const GONE = 404;
const PARTIAL = 206;

let sheet = null;
let sketchedMs = 0;

/** Whether the worker has the network, so that what it paints is final. */
let isNetworkHere = false;

/** The last bytes of elements, for a sketch in this thread, one in the worker, the network. */
const inline = new Map();
const unpainted = new Map();
const unrefined = new Map();
let batches = 0;
let isSketching = false;

function enqueue(queue, element, wanted) {
  for (const other of [inline, unpainted, unrefined]) other.delete(element);
  queue.set(element, wanted);
  // all that is asked for in one turn of the page is painted together
  queueMicrotask(queue === inline ? sketchInline : paintAll);
}

/**
 * Few messages to the worker at a time: what is asked for meanwhile waits, only its last bytes.
 * All are sketched before the network refines the first of them.
 */
async function paintAll() {
  if (batches === BATCHES) return;
  batches += 1;
  while (unpainted.size > 0 || (isNetworkHere && unrefined.size > 0)) {
    const [queue, paint] = unpainted.size > 0 ? [unpainted, sketchMany] : [unrefined, decodeMany];
    const batch = [...queue].slice(0, BATCH);
    for (const [element] of batch) queue.delete(element);
    const streams = batch.map(([, { bytes }]) => bytes);
    try {
      const pictures = await paint(streams);
      batch.forEach(([element, wanted], n) => element.settle(wanted, pictures[n]));
    } catch (error) {
      for (const [element] of batch) element.fail(error);
    }
  }
  batches -= 1;
}

/** What cannot be sketched the worker paints, or tells. */
async function sketchInline() {
  if (isSketching) return;
  isSketching = true;
  const turn = new Turn();
  await turn.next();
  if (!isNetworkHere) prepareSketches(); // takes a turn of its own
  await turn.next();
  for (const [element, wanted] of inline) {
    inline.delete(element);
    if (isNetworkHere || sketchedMs > SKETCHES_MS || !isSketched(element, wanted)) {
      enqueue(unpainted, element, wanted);
    }
    if (turn.isOver) await turn.next();
  }
  isSketching = false;
}

function isSketched(element, wanted) {
  const began = performance.now();
  try {
    element.settle(wanted, sketch(wanted.bytes));
    return true;
  } catch (error) {
    if (error instanceof StreamError) return false;
    throw error;
  } finally {
    sketchedMs += performance.now() - began;
  }
}

function refineAll() {
  isNetworkHere = true;
  for (let n = 0; n < BATCHES; n += 1) paintAll();
}

function isContinued(one, other) {
  const length = Math.min(one.length, other.length);
  return length > HEADER_BYTES && one.subarray(0, length).every((byte, n) => byte === other[n]);
}

export class PrefixelImage extends HTMLElement {
  static observedAttributes = ["src", "bytes", "image", "alt", "data-stream"];

  #box = document.createElement("div");
  #canvas = document.createElement("canvas");
  #image = document.createElement("img");
  #internals = this.attachInternals();
  #bytes = new Uint8Array(0);
  #total = Infinity;
  #etag = null;
  #fetching = null;
  #source = null;
  #isConnected = false;
  /** The stream that is shown, and how many times bytes of any were asked for and painted. */
  #generation = 0;
  #asked = 0;
  #painted = 0;

  constructor() {
    super();
    if (sheet === null) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(SHEET);
    }
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.#image.alt = "";
    this.#image.decoding = "async";
    this.#box.append(this.#canvas, this.#image, document.createElement("slot"));
    root.append(this.#box);
  }

  connectedCallback() {
    this.#isConnected = true;
    this.#name();
    if (this.dataset.stream) this.#takeInline();
    else if (this.src) this.refine(this.budget).catch(() => {}); // told by the event
    this.#loadImage();
  }

  disconnectedCallback() {
    this.#isConnected = false;
    this.#fetching?.abort();
  }

  attributeChangedCallback(name, before, now) {
    if (!this.#isConnected || before === now) return;
    if (name === "alt") this.#name();
    else if (name === "image") this.#loadImage();
    else if (name === "data-stream") this.#takeInline();
    else if (name === "bytes") this.refine(this.budget).catch(() => {});
    else {
      this.#bytes = new Uint8Array(0);
      this.#total = Infinity;
      this.#etag = null;
      this.#source = null;
      this.refine(this.budget).catch(() => {});
    }
  }

  /** URL of the whole stream, best with its `?v=`. */
  get src() {
    return this.#source ?? this.getAttribute("src") ?? "";
  }

  set src(url) {
    this.setAttribute("src", url);
  }

  /** How many bytes of the stream are fetched by itself; all of them where it does not say. */
  get budget() {
    const said = Number.parseInt(this.getAttribute("bytes") ?? "", 10);
    return said >= 2 ? said : Infinity;
  }

  /** The prefix that is here. Set it to paint what was fetched in another way. */
  get stream() {
    return this.#bytes;
  }

  set stream(bytes) {
    this.#show(bytes, isNetworkHere && this.#painted > 0 ? unrefined : unpainted);
  }

  #show(bytes, queue) {
    this.#fetching?.abort();
    if (!isContinued(this.#bytes, bytes)) this.#generation += 1;
    this.#bytes = bytes;
    try {
      const { aspect } = readHeader(bytes);
      this.#box.style.aspectRatio = String(aspect);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#asked += 1;
    enqueue(queue, this, this.#wanted);
  }

  /** Paint a prefix of the stream at `url` (with its `?v=`), which `refine` then continues. */
  continueFrom(bytes, url) {
    this.#source = url;
    this.stream = bytes;
  }

  /**
   * Fetch the stream up to `bytes`, only what is not here yet, and paint it. Resolves with the
   * number of bytes that are here then. Bytes of two encodings never mix: where `src` has no
   * `?v=`, the ETag of the first answer must still hold.
   */
  async refine(bytes = Infinity) {
    const here = this.#bytes.length;
    if (!this.src || bytes <= here || here >= this.#total) return here;
    this.#fetching?.abort();
    const fetching = new AbortController();
    this.#fetching = fetching;
    try {
      const answer = await fetch(this.src, {
        headers: this.#conditions(here, bytes),
        signal: fetching.signal,
      });
      await this.#take(answer, here);
    } catch (error) {
      if (error.name !== "AbortError") {
        this.fail(error);
        throw error;
      }
    }
    return this.#bytes.length;
  }

  get #wanted() {
    return { bytes: this.#bytes, generation: this.#generation, turn: this.#asked };
  }

  #conditions(here, bytes) {
    if (here === 0 && bytes === Infinity) return {};
    const range = `bytes=${here}-${bytes === Infinity ? "" : bytes - 1}`;
    const isNamed = new URL(this.src, document.baseURI).searchParams.has("v");
    if (here === 0 || isNamed) return { range };
    // bytes without an ETag cannot be continued safely: begin anew
    if (this.#etag === null) return { range: range.replace(`=${here}-`, "=0-") };
    return { range, "if-range": this.#etag };
  }

  async #take(answer, here) {
    if (answer.status === GONE) {
      this.#bytes = new Uint8Array(0);
      throw new Error(`${this.src} is gone: the photo was encoded anew, or has left the cache`);
    }
    if (!answer.ok) throw new Error(`${this.src}: ${answer.status}`);
    const body = new Uint8Array(await answer.arrayBuffer());
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.headers.get("content-range") ?? "");
    const isPart = answer.status === PARTIAL && range !== null;
    const from = isPart ? Number(range[1]) : 0;
    if (from !== 0 && from !== here) throw new Error(`${this.src}: bytes from ${from}`);
    const whole = new Uint8Array(from + body.length);
    whole.set(this.#bytes.subarray(0, from));
    whole.set(body, from);
    this.#etag = answer.headers.get("etag");
    this.#total = isPart ? Number(range[2]) : whole.length;
    this.#fetching = null;
    this.stream = whole;
  }

  /** Show what was painted, unless it is of another stream by now. For the batch, not for pages. */
  settle({ bytes, generation, turn }, picture) {
    if (generation !== this.#generation || turn < this.#painted) return;
    if (picture instanceof StreamError) {
      this.fail(picture);
      return;
    }
    this.#painted = turn;
    if (!picture.isFinal && turn === this.#asked) unrefined.set(this, { bytes, generation, turn });
    const { width, height, rgba } = picture;
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
    this.#box.classList.add("painted");
    this.#box.classList.remove("failed");
    const detail = { bytes: bytes.length, isFinal: picture.isFinal };
    this.dispatchEvent(new CustomEvent("paint", { detail }));
  }

  /** Say that something went wrong, and show what stands inside if nothing is painted. */
  fail(error) {
    if (error instanceof StreamError) this.#box.classList.remove("painted");
    if (!this.#box.classList.contains("painted")) {
      this.#box.classList.add("failed");
      this.#takeFallback();
    }
    this.dispatchEvent(new ErrorEvent("error", { error, message: error.message }));
  }

  /** The picture that pages without scripts show; with scripts it is only text until now. */
  #takeFallback() {
    const unscripted = this.querySelector(":scope > noscript");
    if (unscripted === null) return;
    const page = new DOMParser().parseFromString(unscripted.textContent, "text/html");
    unscripted.replaceWith(...page.querySelectorAll("img"));
  }

  #takeInline() {
    let text;
    try {
      text = atob(this.dataset.stream.replaceAll("-", "+").replaceAll("_", "/"));
    } catch {
      this.fail(new StreamError("data-stream is not base64"));
      return;
    }
    this.#show(Uint8Array.from(text, (letter) => letter.charCodeAt(0)), inline);
  }

  #name() {
    const alt = this.getAttribute("alt");
    this.#internals.role = alt === "" ? "presentation" : "img";
    this.#internals.ariaLabel = alt;
  }

  async #loadImage() {
    const url = this.getAttribute("image");
    this.#box.classList.remove("loaded");
    if (!url) {
      this.#image.removeAttribute("src");
      return;
    }
    this.#image.src = url;
    try {
      await this.#image.decode();
    } catch (error) {
      if (this.getAttribute("image") === url) this.fail(error);
      return;
    }
    if (this.getAttribute("image") !== url) return;
    this.#box.classList.add("loaded");
    this.dispatchEvent(new Event("load"));
  }
}

/**
 * Paint a whole gallery from one request: elements with a `data-id`, at `bytes` bytes each. The
 * elements get their `src`, so that `refine` continues the same stream. Resolves with the entries.
 */
export async function fillGallery(elements, { server = "", bytes, codec = "prefixel", signal }) {
  const list = [...elements];
  const ids = list.map((element) => element.dataset.id);
  const entries = await fetchThumbs(server, ids, { bytes, codec, signal });
  entries.forEach((entry, n) => {
    const element = list[n];
    if (entry.state !== "ok") {
      element.fail(new Error(`image ${entry.state}`));
      return;
    }
    element.continueFrom(
      entry.bytes,
      `${server}/v1/images/${ids[n]}/thumb.pxl?codec=${codec}&v=${entry.v}`,
    );
  });
  return entries;
}

preload().then(refineAll, (error) => {
  // the weights are away: closed forms stay
  for (const element of unrefined.keys()) element.fail(error);
});
customElements.define("prefixel-img", PrefixelImage);
