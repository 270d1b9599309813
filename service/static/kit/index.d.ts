/** What a prefix paints. */
export interface Picture {
  /** 32 of a thumbnail, whose original's shape is `aspect`. */
  width: number;
  height: number;
  /** Width / height of the original. */
  aspect: number;
  /** Opaque, `4 * width * height`. */
  rgba: Uint8ClampedArray;
  /** The prefix that was painted. */
  bytes: Uint8Array;
  /** How many symbols the prefix decides. */
  symbols: number;
  /** False for a closed form that the synthesis network would still change. */
  isFinal: boolean;
}

export interface Header {
  wireId: number;
  version: number;
  aspect: number;
}

/** One entry of a container: CONTAINER.md. */
export type Entry =
  | { state: "ok"; v: string; total: number; bytes: Uint8Array }
  | { state: "unknown" | "unavailable" };

export interface Asked {
  bytes: number;
  codec?: string;
  signal?: AbortSignal;
}

/** Bytes that are no stream of a version this kit has. */
export class StreamError extends Error {}

/** Throws StreamError. */
export function readHeader(bytes: Uint8Array): Header;

export interface Painted {
  /** Of photos: pixels that the long side has at least; all of its own where it does not say. */
  size?: number;
}

/** Paint any prefix of a stream, in a worker where there is one. Rejects with StreamError. */
export function decode(bytes: Uint8Array, options?: Painted): Promise<Picture>;

/** Paint many thumbnails in one message to the worker; in place of one that cannot be, its StreamError. */
export function decodeMany(streams: readonly Uint8Array[]): Promise<(Picture | StreamError)[]>;

/** Paint anew with the bytes that follow `picture.bytes`. Rejects with StreamError. */
export function upgrade(picture: Picture, more: Uint8Array, options?: Painted): Promise<Picture>;

/** Paint a thumbnail at once in this thread, in closed form. Throws StreamError. */
export function sketch(bytes: Uint8Array): Picture;

/** As `decodeMany`, in closed form, which waits for no weights. */
export function sketchMany(streams: readonly Uint8Array[]): Promise<(Picture | StreamError)[]>;

/** Start the worker and fetch the weights; else the first call does. */
export function preload(): Promise<void>;

/** How the worker is made, where it is not by itself: a Worker that runs `prefixel/worker`. */
export function setWorker(made: () => Worker): void;

/** The same for photos: a Worker that runs `prefixel/photo-worker`. */
export function setPhotoWorker(made: () => Worker): void;

/** Prefixes of many images in one request to `server` ("" for the page's own). */
export function fetchThumbs(
  server: string,
  ids: readonly string[],
  asked: Asked,
): Promise<Entry[]>;

/** Throws StreamError. */
export function readContainer(body: Uint8Array): Entry[];
