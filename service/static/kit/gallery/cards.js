/** The pictures of this page below the stage: in the order of dropping, each once, in its shape. */

import { PrefixelImage } from "../element.js";
import { at, on, tell } from "./bus.js";
import { budget } from "./budget.js";
import { grouped } from "./number.js";
import { THUMB_BYTES } from "./picture.js";
import { copyHtml } from "./snippet.js";
import { stage } from "./stage.js";

/** Between two paintings of all cards at least. */
const PAUSE_MS = 80;
/** By picture: its list item, its element, its line of facts. */
const cards = new Map();
const seen = new Set();
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) seen.add(target);
    else seen.delete(target);
  }
  soon();
});

export function pictures() {
  // as they stand on the page
  const order = [...at("gallery").children];
  return [...cards.keys()].sort((a, b) => order.indexOf(cards.get(a).item) - order.indexOf(cards.get(b).item));
}

/** A place for a picture that is on its way: a list item at the end, with its name. */
export function place(name) {
  const item = document.createElement("li");
  const label = document.createElement("span");
  label.className = "name";
  label.textContent = name;
  item.append(label);
  at("gallery").append(item);
  return item;
}

/** The card of a picture, in its place. */
export function addCard(picture, item = place(picture.name)) {
  const element = new PrefixelImage();
  if (picture.id) element.dataset.id = picture.id;
  element.setAttribute("alt", picture.alt);
  const open = button("", () => stage(picture));
  open.className = "open";
  open.append(element);
  const facts = document.createElement("small");
  const copy = button("Copy HTML", async () => {
    stage(picture);
    if (await copyHtml(picture)) facts.textContent = "Copied";
  });
  const drop = button("Remove", () => remove(picture));
  copy.setAttribute("aria-label", `Copy the HTML of ${picture.name}`);
  drop.setAttribute("aria-label", `Remove ${picture.name} from this page`);
  const actions = document.createElement("div");
  actions.className = "actions";
  actions.append(copy, drop);
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = picture.name;
  item.replaceChildren(open, name, facts, actions);
  element.addEventListener("error", ({ error }) => tell("unpainted", { picture, error }));
  cards.set(picture, { item, element, facts, shown: null });
  watcher.observe(item);
  tell("pictures");
  soon();
  return element;
}

function button(text, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", pressed);
  return made;
}

function remove(picture) {
  const { item } = cards.get(picture);
  const next = item.nextElementSibling ?? item.previousElementSibling;
  watcher.unobserve(item);
  seen.delete(item);
  cards.delete(picture);
  item.remove();
  picture.forget();
  (next?.querySelector(".open") ?? at("files")).focus();
  tell("removed", picture);
  tell("pictures");
}

/** Each card at the slider's bytes; photos only where they are seen. */
function showAll() {
  const bytes = budget();
  for (const [picture, card] of cards) {
    if (bytes > THUMB_BYTES && !seen.has(card.item)) continue;
    showOne(picture, card, bytes).catch((error) => tell("problem", `${picture.name}: ${error.message}`));
  }
}

async function showOne(picture, card, bytes) {
  const told = `${picture.kindAt(bytes)} ${bytes}`;
  if (card.shown === told || picture.thumb === null) return;
  card.shown = told;
  await picture.need(bytes);
  if (card.shown !== told) return;
  const prefix = picture.prefixAt(bytes);
  if (prefix.length !== card.element.stream.length) card.element.stream = prefix;
  card.facts.textContent = `${grouped(prefix.length)} bytes`;
  soonTotals();
}

let isDue = false;
function soon() {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    showAll();
  }, PAUSE_MS);
}

let areTotalsDue = false;
function soonTotals() {
  if (areTotalsDue) return;
  areTotalsDue = true;
  setTimeout(() => {
    areTotalsDue = false;
    tell("pictures");
  });
}

/** Bytes of streams that the cards show. */
export function shownBytes() {
  return [...cards.values()].reduce((sum, { element }) => sum + element.stream.length, 0);
}

on("budget", soon);
on("again", () => {
  for (const card of cards.values()) card.shown = null;
  soon();
});
