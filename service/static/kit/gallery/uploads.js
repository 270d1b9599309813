/** Photos to the service: a few at once, how far each is, and why one was refused. */

import { at, tell } from "./bus.js";
import { addCard, pictures, place } from "./cards.js";
import { CODECS, Picture } from "./picture.js";
import { askForToken, authorised } from "./token.js";

const AT_ONCE = 4;
const UNAUTHORIZED = 401;
/** A full service says when to come again: so often the page does. */
const BUSY = [429, 503];
const TRIES = 5;
let codecs = null;

/** Those of the page's codecs that the service has. */
async function codecsHere() {
  const said = await (await fetch("v1/codecs")).json();
  const names = said.codecs.map(({ name }) => name);
  return Object.values(CODECS).filter((name) => names.includes(name));
}

/** Upload files in their order; resolves with the pictures that are new. */
export async function uploadAll(files) {
  const waiting = [...files].map((file) => ({ file, item: place(file.name) }));
  const added = [];
  const next = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      try {
        const picture = await uploadOne(one);
        if (picture) added.push(picture);
      } catch (error) {
        one.item.remove();
        tell("problem", `${one.file.name}: ${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return added;
}

async function uploadOne({ file, item }) {
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  item.append(bar);
  codecs ??= codecsHere();
  codecs.catch(() => {
    codecs = null;
  });
  const url = `v1/images?codecs=${(await codecs).join(",")}&inline=1`;
  const said = await sendAgain(url, file, (part) => {
    // then it is decoded and encoded, for as long as that takes
    if (part < 1) bar.value = part;
    else bar.removeAttribute("value");
  });
  if (pictures().some(({ id }) => id === said.id)) {
    item.remove();
    tell("notice", `${file.name} is on the page already`);
    return null;
  }
  const picture = new Picture({ id: said.id, name: file.name, file });
  picture.take(said);
  addCard(picture, item);
  return picture;
}

async function sendAgain(url, file, progressed) {
  for (let left = TRIES - 1; ; left -= 1) {
    try {
      return await send(url, file, progressed);
    } catch (error) {
      if (!error.retrySeconds || left === 0) throw error;
      await new Promise((resume) => setTimeout(resume, 1000 * error.retrySeconds));
    }
  }
}

/** XMLHttpRequest, since fetch does not tell how much was sent. */
function send(url, file, progressed) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "json";
    for (const [name, value] of Object.entries(authorised())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => progressed(loaded / total));
    request.addEventListener("error", () => reject(new Error("the service did not answer")));
    request.addEventListener("load", () => {
      const { status, response } = request;
      if (status === UNAUTHORIZED) askForToken();
      if (status >= 200 && status < 300 && response) resolve(response);
      else reject(refused(request));
    });
    request.send(file);
  });
}

/** Why, and after how many seconds it may be asked again. */
function refused(request) {
  const error = new Error(request.response?.detail ?? `the service said ${request.status}`);
  const isBusy = BUSY.includes(request.status);
  error.retrySeconds = isBusy ? Number(request.getResponseHeader("retry-after")) || 1 : 0;
  return error;
}

at("files").addEventListener("change", ({ target }) => {
  tell("files", [...target.files]);
  target.value = "";
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragover");
    if (kind === "drop") tell("files", [...event.dataTransfer.files]);
  });
}
