/** Three recorded photos to play with, before anything is uploaded. */

import { at, on } from "./bus.js";
import { Picture } from "./picture.js";
import { SAMPLES } from "./samples/samples.js";
import { stage } from "./stage.js";
import { Stream } from "./stream.js";

const FOLDER = new URL("./samples/", import.meta.url);
/** What pages name: the same files, whatever release is served by then. */
const NAMED = "kit/gallery/samples/";
const pictures = SAMPLES.map((sample) => {
  const picture = new Picture({ ...sample, aspect: sample.width / sample.height });
  picture.originalBytes = sample.originalBytes;
  picture.original = new URL(`${sample.name}.jpg`, FOLDER).href;
  for (const kind of ["thumb", "photo"]) picture.urls[kind] = `${NAMED}${sample.name}.${kind}.pxl`;
  return picture;
});

async function fetched(name) {
  const answer = await fetch(new URL(name, FOLDER));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Stream(new Uint8Array(await answer.arrayBuffer()));
}

/** Put one of them on the stage, once its streams are here. */
export async function showSample(number = 0) {
  const picture = pictures[number];
  picture.thumb ??= await fetched(`${picture.name}.thumb.pxl`);
  picture.photo ??= await fetched(`${picture.name}.photo.pxl`);
  stage(picture);
}

pictures.forEach((picture, number) => {
  const button = document.createElement("button");
  button.type = "button";
  const image = new Image(96, 96);
  Object.assign(image, { src: picture.original, alt: picture.alt });
  button.append(image);
  button.addEventListener("click", () => showSample(number));
  at("samples").append(button);
});
on("staged", (picture) => {
  [...at("samples").children].forEach((button, number) => {
    button.setAttribute("aria-pressed", pictures[number] === picture);
  });
});
