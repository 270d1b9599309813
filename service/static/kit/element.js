/** <prefixel-img>, and galleries of it. */

export { PrefixelImage } from "./element/element.js";
export { fillGallery } from "./element/gallery.js";
