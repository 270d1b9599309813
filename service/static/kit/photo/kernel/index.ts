/** What JavaScript calls: photo.js. */

export { advance } from "./scan";
export { accumulate, initialise, unpack, widen } from "./unpack";
export { dequantise, mix, synthesise } from "./wavelet";
