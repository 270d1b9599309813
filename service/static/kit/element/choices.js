/** What an element's attributes say of how much of a photo is fetched, and from where else. */

/** Where `data-saver` says no number. */
const SAVER_BITS = 0.1;
/** Widths that rasters are asked for: few, so that caches hold them. */
const WIDTHS = [320, 640, 1280, 2560, 4096];

/** Bits a pixel that are fetched; null where no attribute says so. */
export function bitsAPixel(element) {
  if (element.hasAttribute("data-saver") && wantsLess()) {
    return numberOf(element, "data-saver") ?? SAVER_BITS;
  }
  return numberOf(element, "bpp");
}

function numberOf(element, name) {
  const said = Number.parseFloat(element.getAttribute(name) ?? "");
  return said > 0 ? said : null;
}

/** Whether the reader has asked for less data. */
function wantsLess() {
  const { connection } = navigator;
  return connection?.saveData === true || matchMedia("(prefers-reduced-data: reduce)").matches;
}

/**
 * The same photo painted by the service, `width` pixels wide at least; null where the URL is none of
 * the service's.
 */
export function rasterOf(url, width, bytes, bits) {
  const raster = new URL(url, document.baseURI);
  if (!/\/v1\/images\/[^/]+\/photo\.pxl$/.test(raster.pathname)) return null;
  raster.pathname = raster.pathname.replace(/pxl$/, "webp");
  if (bits !== null) raster.searchParams.set("bpp", bits);
  if (bytes !== Infinity) raster.searchParams.set("bytes", bytes);
  raster.searchParams.set("width", WIDTHS.find((one) => one >= width) ?? WIDTHS.at(-1));
  return raster.href;
}
