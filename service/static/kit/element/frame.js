/** What stands in the element: its box, the canvas, the full picture over it, what is shown else. */

import { placement } from "./placement.js";

const SHEET = `
:host { display: block; overflow: hidden }
:host([hidden]) { display: none }
div {
  position: relative; width: 100%; height: 100%; overflow: hidden; container-type: size;
  transition: object-fit 1ms allow-discrete, object-position 1ms;
}
div, .full { object-fit: inherit; object-position: inherit }
canvas { position: absolute }
.full { position: absolute; inset: 0; width: 100%; height: 100% }
slot, .fallback, .alt { display: none }
.failed { container-type: normal }
.failed slot, .failed .fallback, .failed .alt { display: block }
.failed canvas, .failed.loaded > :not(.full) { display: none }
.fallback img { display: block; width: 100%; height: auto }
.full { opacity: 0; transition: opacity .4s }
.loaded .full { opacity: 1 }
@media (prefers-reduced-motion: reduce) { .full { transition: none } }
`;
/** Attributes that the full picture has as an <img> has them. */
export const IMAGE_ATTRIBUTES = [
  "srcset", "sizes", "decoding", "fetchpriority", "loading", "crossorigin", "referrerpolicy",
];

let sheet = null;

export class Frame {
  #host;
  #box = document.createElement("div");
  #canvas = document.createElement("canvas");
  #image = document.createElement("img");
  /** width / height by the attributes, the stream, the full picture; 0: not known. */
  #shapes = { said: 0, stream: 0, image: 0 };
  /** Its width in CSS pixels: the same. */
  #widths = { said: 0, stream: 0, image: 0 };
  #sized = null;
  #placed = "";

  constructor(host) {
    this.#host = host;
    if (sheet === null) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(SHEET);
    }
    const root = host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.#image.className = "full";
    this.#image.alt = "";
    this.#box.append(this.#canvas, this.#image, document.createElement("slot"));
    // a property that changes by any rule of the page begins a transition, which is heard
    this.#box.addEventListener("transitionend", ({ propertyName }) => {
      if (propertyName.startsWith("object-")) this.#place();
    });
    root.append(this.#box);
  }

  get isPainted() {
    return this.#box.classList.contains("painted");
  }

  /** The attributes `width` and `height`: as for an <img>, what a style says goes before. */
  takeSize() {
    const [width, height] = ["width", "height"].map((name) => {
      return Number(/^\s*(\d+)/.exec(this.#host.getAttribute(name) ?? "")?.[1] ?? 0);
    });
    this.#shapes.said = width && height ? width / height : 0;
    this.#widths.said = this.#shapes.said && width;
    if (width || height || this.#sized) {
      this.#sized ??= new CSSStyleSheet();
      const rule = width ? `width: ${width}px; max-width: 100%` : height ? `height: ${height}px` : "";
      this.#sized.replaceSync(`:host { ${rule} }`);
      this.#host.shadowRoot.adoptedStyleSheets = [sheet, this.#sized];
    }
    this.#shape();
  }

  /** Of a stream: width / height, and its width where it says one. */
  takeAspect(aspect, width = 0) {
    this.#shapes.stream = aspect;
    this.#widths.stream = width;
    this.#shape();
  }

  /** Pixels of the screen that a picture of the stream has in its box: { width, height }. */
  get pixels() {
    const { width, height } = this.#box.getBoundingClientRect();
    const aspect = this.#shapes.stream;
    const fit = getComputedStyle(this.#host).objectFit;
    const [contained, covering] = [Math.min(width, height * aspect), Math.max(width, height * aspect)];
    const natural = this.#widths.said || this.#widths.stream;
    const across = {
      contain: contained,
      cover: covering,
      none: natural,
      "scale-down": Math.min(natural, contained),
    }[fit];
    const sides = across === undefined ? { width, height } : { width: across, height: across / aspect };
    return { width: sides.width * devicePixelRatio, height: sides.height * devicePixelRatio };
  }

  paint({ width, height, rgba }) {
    const canvas = this.#canvas;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
    this.#box.classList.add("painted");
    this.#box.classList.remove("failed");
    this.#place();
  }

  unpaint() {
    this.#box.classList.remove("painted");
  }

  /** Show what stands inside the element, or the picture of its <noscript>, or the text. */
  fail() {
    this.#box.classList.add("failed");
    if (this.#box.querySelector(".fallback, .alt")) return;
    const slot = this.#box.querySelector("slot");
    const slotted = slot.assignedNodes().filter(({ localName }) => localName !== "noscript");
    if (slotted.some(({ nodeType, textContent }) => nodeType === 1 || textContent.trim())) return;
    const images = this.#unscripted();
    const shown = document.createElement("span");
    shown.className = images.length > 0 ? "fallback" : "alt";
    shown.append(...(images.length > 0 ? images : [this.#host.getAttribute("alt") ?? ""]));
    this.#box.append(shown);
  }

  /**
   * The picture that pages without scripts show; with scripts it is only text until now. The page's
   * own tree stays as it is: whoever rendered it may come to look after it.
   */
  #unscripted() {
    const unscripted = this.#host.querySelector(":scope > noscript");
    const page = new DOMParser().parseFromString(unscripted?.textContent ?? "", "text/html");
    return [...page.querySelectorAll("img")];
  }

  /**
   * Load the full picture and fade it in; whether there is one. Rejects where it is none. `raster`:
   * what shows in place of a stream, where the page names no picture.
   */
  async load(raster = null) {
    const url = this.#host.getAttribute("image") ?? raster;
    const isThere = Boolean(url || this.#host.hasAttribute("srcset"));
    this.#box.classList.remove("loaded");
    this.#shapes.image = this.#widths.image = 0;
    this.#image.removeAttribute("src");
    for (const name of IMAGE_ATTRIBUTES) {
      const value = isThere ? this.#host.getAttribute(name) : null;
      if (value === null) this.#image.removeAttribute(name);
      else this.#image.setAttribute(name, value);
    }
    if (!isThere) return false;
    if (!this.#host.hasAttribute("decoding")) this.#image.decoding = "async";
    if (url) this.#image.src = url;
    await this.#image.decode();
    const { naturalWidth, naturalHeight } = this.#image;
    this.#shapes.image = naturalWidth / naturalHeight;
    this.#widths.image = naturalWidth;
    this.#box.classList.add("loaded");
    this.#shape();
    return true;
  }

  /** The box keeps the first shape that it got, unless the attributes say one: nothing moves. */
  #shape() {
    const { said, stream, image } = this.#shapes;
    const aspect = said || stream || image;
    this.#box.style.aspectRatio = aspect ? String(aspect) : "";
    this.#place();
  }

  #place() {
    const { said, stream, image } = this.#shapes;
    if (!this.isPainted) return;
    const { objectFit, objectPosition } = getComputedStyle(this.#host);
    const aspect = Number((image || said || stream).toFixed(6));
    const natural = this.#widths.image || this.#widths.said || this.#widths.stream;
    const placed = placement(objectFit, objectPosition, aspect, natural);
    if (placed !== this.#placed) this.#canvas.style.cssText = placed;
    this.#placed = placed;
  }
}
