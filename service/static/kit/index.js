/**
 * Prefixel streams to pictures, in pages and in Node.
 *
 *     const { rgba, width, height, aspect } = await decode(bytes);
 */

import { readHeader } from "./core/header.js";
import { decodeThumb } from "./thumb/thumbs.js";

export { fetchThumbs, readContainer } from "./core/container.js";
export { StreamError, readHeader } from "./core/header.js";
export { decodeMany, preload, sketch, sketchMany } from "./thumb/thumbs.js";
export { setPhotoWorker, setWorker } from "./worker/start.js";

const PHOTO = 16;

/** Paint any prefix; `size`: of a photo, least pixels of the long side. Rejects with StreamError. */
export async function decode(bytes, options) {
  if (readHeader(bytes).wireId !== PHOTO) return decodeThumb(bytes);
  const { decodePhoto } = await import("./photo/photos.js");
  return decodePhoto(bytes, options);
}

/** Paint a picture anew with the bytes that follow those it was painted from. */
export function upgrade(picture, more, options) {
  const bytes = new Uint8Array(picture.bytes.length + more.length);
  bytes.set(picture.bytes);
  bytes.set(more, picture.bytes.length);
  return decode(bytes, options);
}
