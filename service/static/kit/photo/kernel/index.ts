/** What JavaScript calls: photo.js. */

export { advance } from "./scan";
export { initialise, unpack } from "./unpack";
export { dequantise, mix, synthesise } from "./wavelet";
