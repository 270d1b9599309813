/**
 * Prefixel streams to pictures, in pages and in Node.
 *
 *     const { rgba, width, height, aspect } = await decode(bytes);
 */

export { fetchThumbs, readContainer } from "./core/container.js";
export { decode, upgrade } from "./core/decode.js";
export { StreamError, readHeader } from "./core/header.js";
export { readPhotoHeader } from "./photo/header.js";
export { decodeMany, preload, sketch, sketchMany } from "./thumb/thumbs.js";
export { setPhotoWorker, setWorker } from "./worker/start.js";
