/** What JavaScript calls: photo.js. */

export { advance } from "./scan";
export { dequantise, mix, synthesise } from "./wavelet";
