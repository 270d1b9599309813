/** The page at /: a photo that fills as bytes come, samples, photos that are dropped here. */

import { fillGallery } from "../element.js";
import { StreamError } from "../index.js";
import { at, on, tell } from "./bus.js";
import { begin, budget, play, reach, stop } from "./budget.js";
import { addCard, pictures, shownBytes } from "./cards.js";
import "./comparison.js";
import { grouped } from "./number.js";
import { CODECS, Picture } from "./picture.js";
import { showSample } from "./samples.js";
import { stage, staged } from "./stage.js";
import { Stream } from "./stream.js";
import { uploadAll } from "./uploads.js";

/** Before the opening sweep: the first picture is looked at. */
const OPENING_MS = 900;

/** What the kit took to load, compressed as it came, without the page's own parts. */
function kitBytes() {
  const loaded = performance
    .getEntriesByType("resource")
    .filter(({ name }) => name.includes("/kit/") && !name.includes("/gallery/"))
    .map(({ name, encodedBodySize }) => [name, encodedBodySize]);
  return [...new Map(loaded).values()].reduce((sum, one) => sum + one, 0);
}

function tellTotals() {
  const count = pictures().length;
  at("totals").textContent = count
    ? `${count === 1 ? "1 picture" : `${count} pictures`}, ${grouped(shownBytes())} bytes of streams` +
      ` (the kit: ${grouped(kitBytes())} bytes, once)`
    : "";
}

function line(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}

/** The page's address holds its pictures, so that it can be sent to someone. */
function remember() {
  const ids = pictures().map(({ id }) => id);
  history.replaceState(null, "", ids.length ? `#${ids.join(",")}` : location.pathname);
}

/** Pictures that the address names: one request for all. Whether one is here. */
async function restore() {
  const ids = [...new Set(location.hash.slice(1).split(",").filter(Boolean))];
  if (ids.length === 0) return false;
  const added = ids.map((id, n) => new Picture({ id, name: `Photo ${n + 1}` }));
  const elements = added.map((picture) => addCard(picture));
  const entries = await fillGallery(elements, { bytes: budget(), codec: CODECS.thumb });
  entries.forEach(({ state, bytes, total, v }, n) => {
    if (state !== "ok") return;
    const url = `v1/images/${ids[n]}/thumb.pxl?codec=${CODECS.thumb}&v=${v}`;
    added[n].urls.thumb = url;
    added[n].thumb = new Stream(bytes, total, url);
  });
  const here = added.filter(({ thumb }) => thumb);
  if (here.length < ids.length) {
    tell("problem", `${ids.length - here.length} of ${ids.length} pictures are not here any more`);
  }
  if (here.length > 0) {
    stage(here[0]);
    here[0].need(budget() + 1e9).catch(() => {}); // how long the photo is
  }
  tell("again");
  return here.length > 0;
}

on("files", async (files) => {
  const added = await uploadAll(files);
  remember();
  if (added.length === 0) return;
  begin();
  stage(pictures().find((one) => added.includes(one)));
});
on("pictures", tellTotals);
on("removed", (picture) => {
  remember();
  if (picture === staged()) {
    const [first] = pictures();
    if (first) stage(first);
    else showSample();
  }
});
on("staged", ({ total }) => reach(total));
on("problem", (text) => at("problems").append(line(text)));
on("notice", (text) => {
  at("notice").textContent = text;
});
on("files", () => {
  at("problems").replaceChildren();
  at("notice").textContent = "";
});
on("unpainted", ({ picture, error }) => {
  if (error instanceof StreamError && picture.photo && picture.canPaintPhotos) {
    picture.canPaintPhotos = false; // of a version that this page does not know
    tell("problem", `${picture.name}: ${error.message}; the thumbnail is shown`);
    reach(picture.total);
    tell("again");
  } else {
    tell("problem", `${picture.name}: ${error.message}`);
  }
});

async function open() {
  if (await restore()) return;
  await showSample();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const opening = setTimeout(() => play(budget()), OPENING_MS);
  for (const kind of ["pointerdown", "keydown", "drop"]) {
    addEventListener(kind, () => clearTimeout(opening), { once: true, capture: true });
  }
}

addEventListener("visibilitychange", () => document.hidden && stop());
open().catch((error) => tell("problem", error.message));
