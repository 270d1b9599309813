/** The gallery: photos in, their streams at any number of bytes, beside other formats. */

import { PrefixelImage, fillGallery } from "../element.js";
import { Turn } from "../core/turns.js";
import { showDetail } from "./detail.js";
import { grouped } from "./number.js";
import { weigh } from "./weigh.js";

const CODEC = "prefixel";
const UPLOADS_AT_ONCE = 4;
const FIRST_BYTES = 64;

const at = (id) => document.getElementById(id);
/**
 * What is on the page: its element, its id, the photo's file where it was dropped here, and the
 * bytes of its stream that are here, of which the element shows some; `isWhole`: all were fetched.
 */
const photos = [];
let fillingSince = null;

function budget() {
  return Number(at("bytes").value);
}

function add(id, name, file) {
  const element = new PrefixelImage();
  element.dataset.id = id;
  element.setAttribute("alt", name);
  const photo = { id, name, file, element, here: new Uint8Array(0), isWhole: false };
  const button = document.createElement("button");
  button.append(element);
  button.addEventListener("click", () => showDetail(photo, budget()));
  const item = document.createElement("li");
  item.append(button);
  at("gallery").append(item);
  photos.push(photo);
  return photo;
}

function show({ here, element }, bytes) {
  const prefix = here.subarray(0, bytes);
  if (prefix.length !== element.stream.length) element.stream = prefix;
}

/** The rest of a stream, by Range, when the slider first asks for more than is here. */
async function fetchRest(photo) {
  photo.isWhole = true;
  photo.element.stream = photo.here;
  await photo.element.refine();
  photo.here = photo.element.stream;
  update();
}

/** Every picture at the slider's bytes; while the page fills, at what has come by now. */
function update() {
  const bytes = budget();
  at("budget").value = bytes;
  let each = bytes;
  if (fillingSince !== null) {
    const arrived = ((performance.now() - fillingSince) / 1000) * Number(at("rate").value);
    each = Math.min(bytes, Math.max(2, Math.floor(arrived / Math.max(1, photos.length))));
    if (each < bytes) requestAnimationFrame(update);
    else fillingSince = null;
  }
  for (const photo of photos.filter(({ here }) => here.length > 0)) {
    if (bytes > photo.here.length && !photo.isWhole) {
      fetchRest(photo).catch((error) => tell(error.message));
    } else {
      show(photo, each);
    }
  }
  tellTotals();
}

/** What the kit took to load, compressed as it came, without the gallery itself. */
function kitBytes() {
  const loaded = performance
    .getEntriesByType("resource")
    .filter(({ name }) => name.includes("/kit/") && !name.includes("/gallery/"))
    .map(({ name, encodedBodySize }) => [name, encodedBodySize]);
  return [...new Map(loaded).values()].reduce((sum, one) => sum + one, 0);
}

function tellTotals() {
  const painted = photos.reduce((sum, { element }) => sum + element.stream.length, 0);
  at("totals").textContent = photos.length
    ? `${photos.length} pictures, ${grouped(painted)} bytes of streams` +
      ` (the kit: ${grouped(kitBytes())} bytes, once)`
    : "";
  const hasDemo = document.documentElement.dataset.demo === "on";
  at("weighing").hidden = !(hasDemo && photos.some(({ file }) => file !== null));
}

/** Totals of the photos that were dropped here, and when the kit has paid for itself. */
async function showWeights() {
  const dropped = photos.filter(({ file, here }) => file !== null && here.length > 0);
  const [table, button] = [at("scales"), at("weigh")];
  button.disabled = true;
  table.hidden = false;
  const caption = table.querySelector("caption");
  try {
    const { ours, rows } = await weigh(dropped, (n) => {
      caption.textContent = `${n} of ${dropped.length} photos weighed`;
    });
    caption.textContent = `${dropped.length} photos, ours ${grouped(ours)} bytes`;
    table.tBodies[0].replaceChildren(...rows.map((row) => weightsRow(row, ours)));
  } catch (error) {
    tell(error.message);
  }
  button.disabled = false;
}

function weightsRow({ title, bytes, missing }, ours) {
  const row = document.createElement("tr");
  const pages = Math.ceil(kitBytes() / (bytes - ours));
  const cells = [
    title,
    grouped(bytes) + (missing > 0 ? ` and ${missing} that are not as good` : ""),
    bytes > ours ? `${grouped(pages)} such pages` : "never",
  ];
  for (const text of cells) row.insertCell().textContent = text;
  return row;
}

function tell(problem) {
  at("problem").hidden = false;
  at("problem").textContent = problem;
}

async function upload(file) {
  const answer = await fetch(`v1/images?codecs=${CODEC}&inline=1`, { method: "POST", body: file });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${file.name}: ${said.detail}`);
  const stream = Uint8Array.from(atob(said.codecs[CODEC].stream), (one) => one.charCodeAt(0));
  const photo = add(said.id, file.name, file);
  photo.here = stream;
  photo.isWhole = true;
  show(photo, budget());
  remember();
}

async function uploadAll(files) {
  const left = [...files];
  const next = async () => {
    for (let file = left.shift(); file; file = left.shift()) {
      await upload(file).catch((error) => tell(error.message));
    }
  };
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, next));
  update();
}

/** The page's address holds its pictures, so that it can be sent to someone. */
function remember() {
  history.replaceState(null, "", `#${photos.map(({ id }) => id).join(",")}`);
}

/** Pictures that the address names: one request for all. */
async function restore() {
  const ids = location.hash.slice(1).split(",").filter(Boolean);
  if (ids.length === 0) return;
  const added = [];
  const turn = new Turn();
  for (const id of ids) {
    added.push(add(id, `Photo ${added.length + 1}`, null));
    if (turn.isOver) await turn.next();
  }
  const elements = added.map(({ element }) => element);
  const entries = await fillGallery(elements, { bytes: FIRST_BYTES, codec: CODEC });
  entries.forEach((entry, n) => {
    if (entry.state === "ok") added[n].here = entry.bytes;
  });
  const missing = entries.filter(({ state }) => state !== "ok").length;
  if (missing > 0) tell(`${missing} of ${entries.length} pictures are not here any more`);
  update();
}

at("files").addEventListener("change", (event) => uploadAll(event.target.files));
at("bytes").addEventListener("input", update);
at("slow").addEventListener("change", (event) => {
  fillingSince = event.target.checked ? performance.now() : null;
  update();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") uploadAll(event.dataTransfer.files);
  });
}
at("weigh").addEventListener("click", showWeights);
at("controls").addEventListener("submit", (event) => event.preventDefault());
restore().catch((error) => tell(error.message));
