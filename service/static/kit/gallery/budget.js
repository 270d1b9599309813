/** How many bytes: a slider on a scale of equal ratios, and the sweep over all of it. */

import { at, tell } from "./bus.js";
import { grouped } from "./number.js";

const LEAST = 16;
const FIRST = 128;
const SWEEP_MS = 5000;
const STEPS = 1000;

let most = 512;
let bytes = FIRST;
let sweep = null;

export function budget() {
  return bytes;
}

/** Let the slider reach so many bytes; where it stands stays. */
export function reach(total) {
  most = Math.max(total, 2 * LEAST);
  set(Math.min(bytes, most));
}

/** Back to where faces can be read, unless somebody has chosen. */
export function begin() {
  stop();
  set(Math.min(FIRST, most));
}

function set(wanted) {
  const isNew = wanted !== bytes;
  bytes = wanted;
  const slider = at("bytes");
  slider.value = Math.round((STEPS * Math.log(bytes / LEAST)) / Math.log(most / LEAST));
  say();
  if (isNew) tell("budget", bytes);
}

function say() {
  at("budget").value = grouped(bytes);
  at("whole").textContent = grouped(most);
  at("bytes").setAttribute("aria-valuetext", `${grouped(bytes)} bytes of ${grouped(most)}`);
}

function ofSlider(value) {
  return Math.min(most, Math.round(LEAST * (most / LEAST) ** (value / STEPS)));
}

/** Sweep from the first bytes to the last; `from`: where it begins. */
export function play(from = LEAST) {
  const began = performance.now();
  const start = Math.log(from / LEAST) / Math.log(most / LEAST);
  at("play").setAttribute("aria-label", "Pause");
  at("play").classList.add("playing");
  const step = (now) => {
    const part = Math.min(1, start + Math.max(0, now - began) / SWEEP_MS);
    set(Math.min(most, Math.round(LEAST * (most / LEAST) ** part)));
    if (part < 1) sweep = requestAnimationFrame(step);
    else stop();
  };
  sweep = requestAnimationFrame(step);
}

export function stop() {
  if (sweep !== null) cancelAnimationFrame(sweep);
  sweep = null;
  at("play").setAttribute("aria-label", "Play: from the first bytes to the last");
  at("play").classList.remove("playing");
}

at("play").addEventListener("click", () => {
  if (sweep !== null) stop();
  else play(bytes < most ? bytes : LEAST);
});
at("bytes").addEventListener("input", (event) => {
  stop();
  bytes = ofSlider(Number(event.target.value));
  say();
  tell("budget", bytes);
});
