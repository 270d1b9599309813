/** <prefixel-img>, and galleries of it. */

export { PrefixelImage, fillGallery } from "./element/element.js";
