/**
 * Prefixel streams to pictures, in pages and in Node.
 *
 *     const { rgba, width, height, aspect } = await decode(bytes);
 */

export { fetchThumbs, readContainer } from "./core/container.js";
export { StreamError, readHeader } from "./core/header.js";
export { decode, decodeMany, preload, sketch, sketchMany, upgrade } from "./thumb/thumbs.js";
export { setWorker } from "./worker/remote.js";
