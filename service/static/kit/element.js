/** <prefixel-img>, and galleries of it. */

// what these import, asked for at once and not when each has come
import {} from "./core/container.js";
import {} from "./core/header.js";
import {} from "./core/turns.js";
import {} from "./element/frame.js";
import {} from "./element/painting.js";
import {} from "./element/placement.js";
import {} from "./element/receive.js";
import {} from "./thumb/codec.js";
import {} from "./thumb/decoder.js";
import {} from "./thumb/kernel.js";
import {} from "./thumb/synthesis.js";
import {} from "./thumb/thumbs.js";
import {} from "./thumb/versions.js";
import {} from "./worker/remote.js";
import {} from "./worker/start.js";

export { PrefixelImage } from "./element/element.js";
export { fillGallery } from "./element/gallery.js";
