/**
 * The whole kit as one classic script, which is its own worker: `prefixel.js` is built of it by
 * `python -m models.export.script`. It defines <prefixel-img>, and `prefixel` with all functions.
 */

import * as element from "../element.js";
import * as prefixel from "../index.js";

const [THUMBS, PHOTOS] = ["prefixel", "prefixel-photo"];

if (globalThis.document) {
  globalThis.prefixel = { ...prefixel, ...element };
  const script = document.currentScript;
  prefixel.setWorker(workerOf(script, THUMBS));
  prefixel.setPhotoWorker(workerOf(script, PHOTOS));
} else if (globalThis.name === PHOTOS) {
  import("../photo/worker.js");
} else {
  import("./worker.js");
}

/** By the script's URL, through a script of the page's origin where it is another, or by its text. */
function workerOf({ src, textContent }, name) {
  const isHere = src.startsWith(`${location.origin}/`);
  return () => {
    if (isHere) return new Worker(src, { name });
    const text = src ? `importScripts(${JSON.stringify(src)});` : textContent;
    return new Worker(URL.createObjectURL(new Blob([text])), { name });
  };
}
