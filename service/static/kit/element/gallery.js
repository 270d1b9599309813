/** A gallery of <prefixel-img> from one request. */

import { fetchThumbs } from "../core/container.js";

/**
 * Paint a whole gallery from one request: elements with a `data-id`, at `bytes` bytes each. The
 * elements get their `src`, so that `refine` continues the same stream. Resolves with the entries.
 */
export async function fillGallery(elements, { server = "", bytes, codec = "prefixel", signal }) {
  const list = [...elements];
  const ids = list.map((element) => element.dataset.id);
  const entries = await fetchThumbs(server, ids, { bytes, codec, signal });
  entries.forEach((entry, n) => {
    const element = list[n];
    if (entry.state !== "ok") {
      element.fail(new Error(`image ${entry.state}`));
      return;
    }
    element.continueFrom(
      entry.bytes,
      `${server}/v1/images/${ids[n]}/thumb.pxl?codec=${codec}&v=${entry.v}`,
    );
  });
  return entries;
}
