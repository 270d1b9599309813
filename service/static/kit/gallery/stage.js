/** The large picture: ours at so many bytes, another one beside it, and a divider between them. */

import { at, on, tell } from "./bus.js";
import { budget } from "./budget.js";
import { grouped } from "./number.js";
import { Painter, put } from "./painter.js";

const painter = new Painter(at("ours"));
let shown = null;

/** The picture on the stage, or null. */
export function staged() {
  return shown;
}

/** Put a picture on the stage. */
export function stage(picture) {
  if (picture === shown) return;
  shown = picture;
  painter.renew();
  at("ours").setAttribute("aria-label", picture.alt);
  at("credit").textContent = picture.credit ? `Photo: ${picture.credit}` : picture.name;
  shape(picture.aspect);
  const note = `${grouped(picture.originalBytes ?? 0)} bytes`;
  beside(picture.original && { title: "Original", url: picture.original, note });
  tell("staged", picture);
  update();
}

function shape(aspect) {
  if (aspect) at("frame").style.setProperty("--aspect", aspect);
}

/** What stands right of the divider: { title, url, note }, or null. */
export function beside(other) {
  at("frame").classList.toggle("alone", !other);
  for (const id of ["theirs", "divider", "theirs-label"]) at(id).hidden = !other;
  if (!other) return;
  showBeside(other.url);
  at("theirs").setAttribute("aria-label", `${other.title}: ${shown.alt}`);
  at("theirs-label").textContent = [other.title, other.note].filter(Boolean).join(" · ");
  at("divider").setAttribute("aria-label", `Divider: Prefixel left, ${other.title} right`);
}

let url = null;

async function showBeside(wanted) {
  if (url === wanted) return;
  url = wanted;
  const image = new Image();
  image.src = wanted;
  try {
    await image.decode();
  } catch {
    return; // an original that no browser shows, as a HEIC
  }
  if (url === wanted) put(at("theirs"), image, image.naturalWidth, image.naturalHeight, shown.aspect);
}

/** Paint the stage at the slider's bytes, once they are here. */
async function update() {
  const [picture, bytes] = [shown, budget()];
  if (!picture) return;
  try {
    await picture.need(bytes);
    const prefix = picture.prefixAt(bytes);
    if (picture !== shown || prefix.length === 0) return;
    const { width, height } = at("frame").getBoundingClientRect();
    const need = { width: width * devicePixelRatio, height: height * devicePixelRatio };
    const painted = await painter.show(prefix, need, picture.aspect);
    if (picture !== shown || !painted) return;
    if (!picture.aspect && painted.aspect) picture.aspect = painted.aspect;
    shape(picture.aspect);
    at("ours-label").textContent = `Prefixel · ${grouped(prefix.length)} bytes`;
    at("frame").dataset.bytes = prefix.length;
    tell("painted", { picture, bytes: prefix.length, painted });
  } catch (error) {
    tell("unpainted", { picture, error });
  }
}

function split() {
  const { value } = at("divider");
  at("frame").style.setProperty("--split", `${value}%`);
  at("divider").setAttribute("aria-valuetext", `${value} % Prefixel`);
}

at("divider").addEventListener("input", split);
on("budget", update);
on("again", update);
new ResizeObserver(update).observe(at("frame"));
split();
