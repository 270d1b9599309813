import type { Asked, Entry } from "./index.js";

/**
 * `<prefixel-img src bytes image alt data-stream>`; `data-stream` is a prefix in base64.
 * Events: `paint` (CustomEvent, `detail: { bytes, isFinal }`), `load`, `error` (ErrorEvent).
 */
export class PrefixelImage extends HTMLElement {
  /** URL of the whole stream, best with its `?v=`. */
  src: string;
  /** The attribute `bytes`; Infinity where it says nothing. */
  readonly budget: number;
  /** The prefix that is here; set it to paint it. */
  stream: Uint8Array;
  /** Paint a prefix of the stream at `url`, which `refine` then continues. */
  continueFrom(bytes: Uint8Array, url: string): void;
  /** Fetch up to `bytes`, only what is missing; resolves with the bytes that are here then. */
  refine(bytes?: number): Promise<number>;
}

/** Paint elements that have a `data-id` from one request. */
export function fillGallery(
  elements: Iterable<PrefixelImage>,
  asked: Asked & { server?: string },
): Promise<Entry[]>;

declare global {
  interface HTMLElementTagNameMap {
    "prefixel-img": PrefixelImage;
  }
}
