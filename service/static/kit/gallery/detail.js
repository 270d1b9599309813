/** One photo: the original, our stream at any byte, and what others make of as many bytes. */

import { decode } from "../index.js";
import { compared } from "./compare.js";
import { grouped } from "./number.js";
import { blockSsim, psnr } from "./quality.js";

const at = (id) => document.getElementById(id);
const hasDemo = document.documentElement.dataset.demo === "on";
let shown = null;

/** Open the dialog for a photo of the gallery at so many bytes. */
export async function showDetail(photo, bytes) {
  shown = { photo, reference: null, formats: [], cells: new Map() };
  at("detail-title").textContent = photo.name;
  at("detail-bytes").max = photo.here.length;
  at("detail-bytes").value = bytes;
  at("comparison").replaceChildren();
  at("detail-note").textContent = "";
  at("detail").showModal();
  if (photo.file) showOriginal(photo);
  await update();
  if (hasDemo && photo.file) await compare(shown);
  else at("detail-note").textContent = hasDemo ? "Drop the photo to compare formats." : "";
}

function cell(name, title) {
  if (shown.cells.has(name)) return shown.cells.get(name);
  const item = document.createElement("li");
  const picture = document.createElement("div");
  picture.className = "picture";
  picture.style.aspectRatio = shown.aspect ?? 1;
  const heading = document.createElement("b");
  heading.textContent = title;
  const facts = document.createElement("small");
  item.append(picture, heading, facts);
  at("comparison").append(item);
  shown.cells.set(name, { picture, facts });
  return shown.cells.get(name);
}

function showOriginal({ file }) {
  const { picture, facts } = cell("original", "Original");
  const image = new Image();
  const url = URL.createObjectURL(file);
  image.src = url;
  image.alt = "The photo itself";
  image.addEventListener("load", () => URL.revokeObjectURL(url));
  picture.replaceChildren(image);
  facts.textContent = `${grouped(file.size)} bytes`;
}

function quality(ssim, decibels) {
  return `SSIM ${ssim.toFixed(3)}, ${decibels.toFixed(1)} dB`;
}

/** Paint everything at the slider's bytes. */
async function update() {
  const mine = shown;
  const bytes = Number(at("detail-bytes").value);
  at("detail-budget").value = bytes;
  const found = await decode(mine.photo.here.subarray(0, bytes));
  if (mine !== shown || bytes !== Number(at("detail-bytes").value)) return;
  mine.aspect = found.aspect;
  for (const { picture } of mine.cells.values()) picture.style.aspectRatio = found.aspect;
  const { picture, facts } = cell("prefixel", "Prefixel");
  picture.replaceChildren(canvasOf(found.rgba));
  facts.textContent = `${found.bytes.length} bytes, whole`;
  if (mine.reference) {
    const { reference } = mine;
    facts.textContent += `; ${quality(blockSsim(reference, found.rgba), psnr(reference, found.rgba))}`;
  }
  for (const format of mine.formats) showFormat(format, bytes);
}

function canvasOf(rgba) {
  const canvas = document.createElement("canvas");
  canvas.width = 32;
  canvas.height = 32;
  canvas.getContext("2d").putImageData(new ImageData(rgba, 32, 32), 0, 0);
  return canvas;
}

/** The best that a format has within the budget, or that it has none. */
function showFormat({ name, title, missing, candidates }, bytes) {
  const { picture, facts } = cell(name, title);
  const best = candidates.findLast((one) => one.bytes <= bytes);
  if (!best) {
    picture.textContent = missing
      ? "not installed on this server"
      : `cannot be this small: ${candidates[0].bytes} bytes at least`;
    facts.textContent = "";
    return;
  }
  const image = new Image();
  image.src = `data:image/png;base64,${best.picture}`;
  image.alt = `${title} at ${best.bytes} bytes`;
  picture.replaceChildren(image);
  facts.textContent =
    `${best.bytes} bytes (file: ${best.file_bytes}); ` + quality(best.ssim, best.psnr);
}

async function compare(mine) {
  at("detail-note").textContent = "The others are being made…";
  try {
    const { reference, formats, note } = await compared(mine.photo);
    if (mine !== shown) return;
    Object.assign(mine, { reference, formats });
    at("detail-note").textContent = note;
  } catch (error) {
    if (mine === shown) at("detail-note").textContent = error.message;
    return;
  }
  await update();
}

at("detail-bytes").addEventListener("input", update);
