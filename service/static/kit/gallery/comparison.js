/** Under the stage: the same picture in other formats at as many bytes, and a table of figures. */

import { at, on } from "./bus.js";
import { budget } from "./budget.js";
import { compared, drawn, hasDemo } from "./compare.js";
import { grouped } from "./number.js";
import { blockSsim } from "./quality.js";
import { beside, staged } from "./stage.js";

/** Least SSIM of each word, of 8 x 8 blocks. */
const WORDS = [
  [0.95, "hard to tell from the original"],
  [0.85, "close to the original"],
  [0.7, "all is there, softened"],
  [0.5, "the larger shapes"],
  [-1, "a hint of colours"],
];
let isSeen = false;
let chosen = "original";
/** What the last painting was, and what others made of the same picture. */
let ours = null;
let others = null;

function inWords(ssim) {
  return WORDS.find(([least]) => ssim >= least)[1];
}

/** The best that a format has within the budget; its smallest where that is over it. */
function bestOf({ name, title, candidates }, bytes) {
  const within = candidates.findLast((one) => one.bytes <= bytes);
  const best = within ?? candidates[0];
  const note = within ? grouped(best.bytes) : `${grouped(best.bytes)} at least`;
  return { name, title, url: best.url, ssim: best.ssim, bytes: best.bytes, isOver: !within, note };
}

function rows() {
  const picture = staged();
  const found = [];
  if (picture.original) {
    const [bytes, url] = [picture.originalBytes, picture.original];
    found.push({ name: "original", title: "Original", url, bytes, note: grouped(bytes) });
  }
  if (ours?.picture === picture) found.push(oursRow());
  if (others?.picture === picture && others.kind === picture.kindAt(budget())) {
    found.push(...others.formats.map((one) => bestOf(one, budget())));
  }
  return found;
}

function oursRow() {
  const { bytes, canvas, painted } = ours;
  let ssim = null;
  if (others?.picture === ours.picture && others.kind === ours.picture.kindAt(bytes)) {
    const { reference, width, height } = others;
    const isSame = painted.width === width && painted.height === height;
    const pixels = isSame ? painted.rgba : drawn(canvas, width, height);
    ssim = blockSsim(reference, pixels, width, height);
  }
  return { name: "prefixel", title: "Prefixel", bytes, ssim, note: grouped(bytes), canvas };
}

/** Cards and table anew. */
function show() {
  if (!staged()) return;
  const found = rows();
  at("comparison").replaceChildren(...found.map(card));
  at("figures").tBodies[0].replaceChildren(...found.filter(({ ssim }) => ssim != null).map(line));
  at("figures").hidden = at("figures").tBodies[0].rows.length === 0;
  const other = found.find(({ name }) => name === chosen) ?? found.find(({ url }) => url);
  beside(other?.url ? { ...other, note: other.note && `${other.note} bytes` } : null);
}

function card({ name, title, url, note, isOver, canvas }) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.name = name;
  button.disabled = !url;
  button.setAttribute("aria-pressed", name === chosen);
  button.classList.toggle("over", Boolean(isOver));
  const picture = url ? document.createElement("img") : copied(canvas);
  if (url) Object.assign(picture, { src: url, alt: "", decoding: "async" });
  const heading = document.createElement("b");
  heading.textContent = title;
  const facts = document.createElement("small");
  facts.textContent = note ? `${note} bytes` : "";
  button.append(picture, heading, facts);
  item.append(button);
  return item;
}

function copied(canvas) {
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  copy.getContext("2d").drawImage(canvas, 0, 0);
  return copy;
}

function line({ title, bytes, ssim, isOver }) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = title;
  row.append(head);
  const size = grouped(bytes) + (isOver ? ", its least" : "");
  for (const text of [size, inWords(ssim), ssim.toFixed(3)]) row.insertCell().textContent = text;
  return row;
}

async function compare() {
  const picture = staged();
  if (!picture || !hasDemo || !isSeen || !picture.original) return tellNote(picture);
  const kind = picture.kindAt(budget());
  if (others?.picture === picture && others.kind === kind) return undefined;
  at("note").textContent = "The others are being made…";
  try {
    const said = await compared(picture, kind);
    if (picture !== staged() || kind !== picture.kindAt(budget())) return undefined;
    others = { picture, kind, ...said };
    at("note").textContent = said.note;
    show();
  } catch (error) {
    if (picture === staged()) at("note").textContent = error.message;
  }
  return undefined;
}

function tellNote(picture) {
  const needed = hasDemo
    ? "The photo itself is not here: drop it on the page to compare formats."
    : "Other formats are compared where the service runs with PREFIXEL_DEMO=1.";
  at("note").textContent = picture && (picture.original === null || !hasDemo) ? needed : "";
}

at("comparison").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  chosen = button.dataset.name;
  show();
  at("comparison").querySelector(`[data-name="${chosen}"]`)?.focus();
});
let isDue = false;
on("painted", (painting) => {
  ours = { ...painting, canvas: at("ours") };
  compare();
  if (isDue) return;
  isDue = true; // a few times a second are enough
  setTimeout(() => {
    isDue = false;
    show();
  }, 120);
});
on("staged", () => {
  ours = null;
  at("note").textContent = "";
  show();
});
// it is work for the service: only for whoever comes to look
new IntersectionObserver(([{ isIntersecting }]) => {
  isSeen ||= isIntersecting;
  compare();
}, { rootMargin: "0px 0px -20%" }).observe(at("comparing"));
