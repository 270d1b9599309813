import type { Asked, Entry } from "./index.js";

/** Of `paint`: the bytes of the prefix that is on the screen, and whether it can look any better. */
export interface PaintDetail {
  bytes: number;
  isFinal: boolean;
}

export interface PrefixelImageEventMap {
  paint: CustomEvent<PaintDetail>;
  load: Event;
  error: ErrorEvent;
}

type Listener<K extends keyof PrefixelImageEventMap> = (
  this: PrefixelImage,
  event: PrefixelImageEventMap[K],
) => unknown;

/**
 * `<prefixel-img src bytes image alt data-stream>`; `data-stream` is a prefix in base64. Of photos
 * `bpp` and `data-saver` too.
 */
export class PrefixelImage extends HTMLElement {
  /** URL of the whole stream, best with its `?v=`. */
  src: string;
  /** The attribute `bytes`; Infinity where it says nothing. */
  readonly budget: number;
  /** The prefix that is here; set it to paint it. */
  stream: Uint8Array;
  /** The last event of each kind. */
  readonly told: Partial<PrefixelImageEventMap>;
  /** Paint a prefix of the stream at `url`, which `refine` then continues. */
  continueFrom(bytes: Uint8Array, url: string): void;
  /** Fetch up to `bytes`, only what is missing; resolves with the bytes that are here then. */
  refine(bytes?: number): Promise<number>;
  addEventListener<K extends keyof PrefixelImageEventMap>(
    kind: K,
    listener: Listener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    kind: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
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
