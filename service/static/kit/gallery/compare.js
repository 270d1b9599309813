/** What /demo/compare says of a picture's file, asked for once a kind. */

import { authorised } from "./token.js";

export const hasDemo = document.documentElement.dataset.demo === "on";
const answers = new WeakMap();

/**
 * What other formats make of a picture, as a "thumb" or a "photo": { reference (RGBA of width x
 * height), formats: [{ name, title, candidates: [{ bytes, file_bytes, ssim, url }] }], note }.
 */
export function compared(picture, kind) {
  const known = answers.get(picture) ?? {};
  answers.set(picture, known);
  known[kind] ??= ask(picture, kind).catch((error) => {
    delete known[kind];
    throw error;
  });
  return known[kind];
}

async function ask({ file, original }, kind) {
  const body = file ?? (await (await fetch(original)).blob());
  const answer = await fetch(`demo/compare/${kind}`, { method: "POST", body, headers: authorised() });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  for (const { media_type: type, candidates } of said.formats) {
    for (const one of candidates) one.url = `data:${type};base64,${one.picture}`;
  }
  return { ...said, reference: await pixelsOf(said) };
}

async function pixelsOf({ reference, width, height }) {
  const image = new Image();
  image.src = `data:image/png;base64,${reference}`;
  await image.decode();
  return drawn(image, width, height);
}

/** RGBA of something that can be drawn, at so many pixels. */
export function drawn(source, width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}
