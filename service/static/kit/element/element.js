/**
 * <prefixel-img>: a thumbnail, better with every byte, then the full picture; or a photo alone.
 *
 *     <prefixel-img src="/v1/images/ID/thumb.pxl?v=…" bytes="64" image="photo.jpg" alt="…">
 *       <noscript><img src="/v1/images/ID/thumb.webp?bytes=64" alt="…"></noscript>
 *     </prefixel-img>
 *     <prefixel-img src="/v1/images/ID/photo.pxl?v=…" bpp="0.5" data-saver="0.1" alt="…">
 *       <noscript><img src="/v1/images/ID/photo.webp?bpp=0.5&amp;width=640" alt="…"></noscript>
 *     </prefixel-img>
 *
 * `bytes`, and for photos `bpp` (bits a pixel) and `data-saver` (the same where a reader wants to
 * save data; 0.1 where it says no number), say how much is fetched; else all is, in one answer.
 * What stands inside, or the picture of its <noscript>, or `alt` is shown where the stream cannot be.
 * `width`, `height`, `loading`, `srcset`, `sizes`, `decoding`, `fetchpriority`, and the properties
 * `object-fit` and `object-position` are as for an <img>; `loading="lazy"` holds for the stream too.
 * Events: `paint` (a prefix is on the screen; `detail.bytes` of it), `load` (the full picture is, or
 * all that is fetched of a photo, corrected by its network), `error` (with `error`). None bubbles.
 */

import { HEADER_BYTES, StreamError, readHeader } from "../core/header.js";
import { expectWorker } from "../worker/start.js";
import { Frame, IMAGE_ATTRIBUTES } from "./frame.js";
import { enqueue, inline, queueFor, unrefined } from "./painting.js";
import { receive } from "./receive.js";

const GONE = 404;
const PARTIAL = 206;
const PHOTO = 16;
/** What tells a photo's size, and is a first picture of it. */
const FIRST_RANGE = 1024;

/** The requests' own priorities; the attribute may say anything. */
const PRIORITIES = ["high", "low", "auto"];

function isContinued(one, other) {
  const length = Math.min(one.length, other.length);
  return length > HEADER_BYTES && one.subarray(0, length).every((byte, n) => byte === other[n]);
}

function isPhoto(bytes) {
  return bytes.length > 0 && bytes[0] >> 3 === PHOTO;
}

let photos = null;

/** The code of photos comes when the first of them does, and the tables of most. */
function photoCode() {
  photos ??= allOfPhotos();
  return photos;
}

/** All at once: what a module imports is asked for before that module has come. */
async function allOfPhotos() {
  expectWorker("photo-worker");
  const early = [
    import("../photo/versions.js"),
    import("../photo/stored.js").then(({ USUAL, tablesOf }) => tablesOf(USUAL)),
    import("../photo/photos.js"),
    import("../photo/header.js"),
    import("./choices.js"),
  ];
  for (const one of early) one.catch(() => {}); // which photo.js needs, and tells
  try {
    return await import("./photo.js");
  } catch (error) {
    photos = null; // another time it may come
    throw error;
  }
}

/** Where pages are rendered there are no elements: the class is one that nobody makes. */
const Element = globalThis.HTMLElement ?? class {};

export class PrefixelImage extends Element {
  static observedAttributes = [
    "src", "bytes", "bpp", "data-saver", "image", "alt", "data-stream", "width", "height",
    ...IMAGE_ATTRIBUTES,
  ];
  static #nearing = null;

  #frame = new Frame(this);
  #internals = this.attachInternals();
  #bytes = new Uint8Array(0);
  #total = Infinity;
  #etag = null;
  #fetching = null;
  #source = null;
  #isConnected = false;
  #isStarted = false;
  /** The last event of each kind, for who begins to listen after it. */
  told = {};
  /** The stream that is shown, and how many times bytes of any were asked for and painted. */
  #generation = 0;
  #asked = 0;
  #painted = 0;
  #loads = 0;
  /** Of a photo: what paints it, once that is here; whether all its bytes that are wanted are. */
  #photo = null;
  #isWhole = false;
  #hasMore = false;
  #isStep = false;
  #isLoaded = false;

  connectedCallback() {
    this.#isConnected = true;
    this.#name();
    this.#frame.takeSize();
    if (this.dataset.stream) this.#takeInline();
    else if (isPhoto(this.#bytes)) this.#showPhoto(this.#isWhole); // it was elsewhere before
    if (this.getAttribute("loading") === "lazy") this.#startWhenSeen();
    else this.#start();
  }

  disconnectedCallback() {
    this.#isConnected = false;
    this.#isStarted = false;
    PrefixelImage.#nearing?.unobserve(this);
    this.#fetching?.abort();
    this.#closePhoto();
  }

  attributeChangedCallback(name, before, now) {
    if (!this.#isConnected || before === now) return;
    if (name === "alt") this.#name();
    else if (name === "width" || name === "height") this.#frame.takeSize();
    else if (name === "data-stream") this.#takeInline();
    else if (name === "loading" && now !== "lazy") this.#start();
    else if (name === "src") this.#forget();
    if (!this.#isStarted) return;
    if (["src", "bytes", "bpp", "data-saver"].includes(name)) this.#fetchBudget();
    else if (name === "image" || name === "srcset" || name === "sizes") this.#loadImage();
  }

  /** Fetch what the attributes name; what stands in the page itself is shown without. */
  #start() {
    if (this.#isStarted) return;
    this.#isStarted = true;
    PrefixelImage.#nearing?.unobserve(this);
    if (!this.dataset.stream && this.src) this.#fetchBudget();
    this.#loadImage();
  }

  #startWhenSeen() {
    PrefixelImage.#nearing ??= new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) target.#start();
    });
    PrefixelImage.#nearing.observe(this);
  }

  /** What the attributes say, of a photo perhaps in steps. What fails is told. */
  async #fetchBudget() {
    // meanwhile the code comes
    if (/\/v1\/images\/\w+\/photo\.pxl/.test(this.src)) photoCode().catch(() => {});
    try {
      if (!this.hasAttribute("bpp") && !this.hasAttribute("data-saver")) {
        await this.refine(this.budget);
        return;
      }
      this.#isStep = true;
      await this.refine(Math.min(FIRST_RANGE, this.budget));
      this.#isStep = false;
      if (!isPhoto(this.#bytes)) return;
      const { bytesWanted } = await photoCode();
      await this.refine(Math.min(bytesWanted(this), this.budget));
      this.#showPhoto(true);
    } catch {
      this.#isStep = false;
    }
  }

  #forget() {
    this.#renew();
    this.#bytes = new Uint8Array(0);
    this.#total = Infinity;
    this.#etag = null;
    this.#source = null;
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
    this.#show(bytes, queueFor(this.#painted > 0));
  }

  #show(bytes, queue) {
    this.#fetching?.abort();
    const isSame = isContinued(this.#bytes, bytes);
    const isShorter = isSame && bytes.length < this.#bytes.length;
    if (!isSame) this.#renew();
    else if (isShorter) this.#closePhoto();
    this.#hasMore = isShorter && this.#frame.isPainted;
    this.#bytes = bytes;
    if (isPhoto(bytes)) {
      this.#showPhoto(true);
      return;
    }
    try {
      this.#frame.takeAspect(readHeader(bytes).aspect);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#asked += 1;
    enqueue(queue, this, this.#wanted);
  }

  /** Paint the photo's bytes that are here; whether they are all that is wanted. */
  async #showPhoto(isWhole) {
    this.#isWhole = isWhole;
    const generation = this.#generation;
    try {
      const { PhotoPainting } = await photoCode();
      if (generation !== this.#generation || !this.#isConnected) return;
      this.#photo ??= new PhotoPainting({
        element: this,
        frame: this.#frame,
        hasMore: this.#hasMore,
        settle: (picture, isLast) => this.#settlePhoto(picture, isLast),
        takeRaster: (url) => this.#loadImage(url),
        fail: (error) => this.fail(error),
      });
      this.#photo.show(this.#bytes, this.#isWhole);
    } catch (error) {
      this.fail(error);
    }
  }

  #settlePhoto(picture, isLast) {
    this.#frame.paint(picture);
    const detail = { bytes: picture.length, isFinal: picture.isFinal };
    this.#tell(new CustomEvent("paint", { detail }));
    if (isLast && !this.#isLoaded && !this.hasAttribute("image")) this.#tell(new Event("load"));
    this.#isLoaded ||= isLast;
  }

  #closePhoto() {
    this.#photo?.close();
    this.#photo = null;
    this.#isLoaded = false;
  }

  /** What comes now may be of another encoding. */
  #renew() {
    this.#generation += 1;
    this.#hasMore = false;
    this.#closePhoto();
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
        priority: PRIORITIES.find((one) => one === this.getAttribute("fetchpriority")) ?? "auto",
      });
      await this.#take(answer, here, bytes);
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

  async #take(answer, here, bytes) {
    if (answer.status === GONE) {
      this.#bytes = new Uint8Array(0);
      throw new Error(`${this.src} is gone: the photo was encoded anew, or has left the cache`);
    }
    if (!answer.ok) throw new Error(`${this.src}: ${answer.status}`);
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.headers.get("content-range") ?? "");
    const isPart = answer.status === PARTIAL && range !== null;
    const from = isPart ? Number(range[1]) : 0;
    if (from !== 0 && from !== here) throw new Error(`${this.src}: bytes from ${from}`);
    if (from === 0 && isPhoto(this.#bytes)) this.#renew();
    this.#etag = answer.headers.get("etag");
    let whole = this.#bytes.subarray(0, from);
    let isCut = false;
    for await (const prefix of receive(answer, whole)) {
      whole = prefix;
      if (!isPhoto(prefix)) continue;
      whole = this.#bytes = prefix.subarray(0, bytes);
      isCut = prefix.length > bytes; // by a server that knows no ranges
      if (isCut) break;
      this.#showPhoto(false);
    }
    this.#total = isPart ? Number(range[2]) : isCut ? Infinity : whole.length;
    this.#fetching = null;
    if (isPhoto(whole)) this.#showPhoto(!this.#isStep);
    else this.stream = whole;
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
    this.#frame.paint(picture);
    const detail = { bytes: bytes.length, isFinal: picture.isFinal };
    this.#tell(new CustomEvent("paint", { detail }));
  }

  /** Say that something went wrong, and show what stands inside if nothing is painted. */
  fail(error) {
    if (error instanceof StreamError) this.#frame.unpaint();
    if (!this.#frame.isPainted) this.#frame.fail();
    this.#tell(new ErrorEvent("error", { error, message: error.message }));
  }

  #tell(event) {
    this.told[event.type] = event;
    this.dispatchEvent(event);
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

  async #loadImage(raster = null) {
    this.#loads += 1;
    const load = this.#loads;
    try {
      const isThere = await this.#frame.load(raster);
      if (isThere && load === this.#loads) this.#tell(new Event("load"));
    } catch (error) {
      if (load === this.#loads) this.fail(error);
    }
  }
}

// another copy of the kit may have come first
if (globalThis.customElements && !customElements.get("prefixel-img")) {
  customElements.define("prefixel-img", PrefixelImage);
}
