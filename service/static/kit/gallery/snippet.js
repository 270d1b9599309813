/** The HTML that shows a picture at so many bytes in any page. */

import { at, on } from "./bus.js";
import { budget } from "./budget.js";
import { staged } from "./stage.js";

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

/** Lines of HTML. */
export function htmlOf(picture, bytes) {
  const home = new URL(".", location.href).href;
  const kind = picture.kindAt(bytes);
  const url = picture.urls[kind] ?? `v1/images/${picture.id}/${kind}.pxl`;
  const src = new URL(url, home).href;
  const part = bytes < picture.total ? ` bytes="${bytes}"` : "";
  const width = 600;
  const height = Math.round(width / (picture.aspect ?? 1));
  const lines = [
    `<script type="module" src="${home}kit/element.js"></script>`,
    `<prefixel-img src="${escaped(src)}"${part}`,
    `  alt="${escaped(picture.alt)}" width="${width}" height="${height}"`,
    `  style="display: block; aspect-ratio: ${width}/${height}; max-width: ${width}px">`,
  ];
  if (picture.id) {
    const raster = new URL(`v1/images/${picture.id}/${kind}.webp?bytes=${bytes}`, home).href;
    lines.push(`  <noscript><img src="${escaped(raster)}" alt="${escaped(picture.alt)}"></noscript>`);
  }
  return [...lines, "</prefixel-img>"].join("\n");
}

/** Into the clipboard; where there is none, into the page, marked. Whether it was copied. */
export async function copyHtml(picture) {
  const html = htmlOf(picture, budget());
  try {
    await navigator.clipboard.writeText(html);
    return true;
  } catch {
    at("snippet").textContent = html;
    at("snippet").scrollIntoView({ block: "center" });
    getSelection().selectAllChildren(at("snippet"));
    return false;
  }
}

function show() {
  if (staged()) at("snippet").textContent = htmlOf(staged(), budget());
}

on("painted", show);
at("copy").addEventListener("click", async ({ currentTarget }) => {
  if (!(await copyHtml(staged()))) return;
  currentTarget.textContent = "Copied";
  setTimeout(() => {
    currentTarget.textContent = "Copy the HTML";
  }, 2000);
});
