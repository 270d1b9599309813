/** A page that paints the stream of its address (base64, after #), with the element and without. */

import { decode } from "prefixel";
import "prefixel/element";

const stream = decodeURIComponent(location.hash.slice(1));
window.told = [];
for (const kind of ["paint", "error"]) {
  const tell = ({ detail, message }) => window.told.push({ kind, detail, message });
  document.addEventListener(kind, tell, true);
}
const element = document.createElement("prefixel-img");
element.dataset.stream = stream;
element.setAttribute("alt", "A photo");
document.body.append(element);

const bytes = Uint8Array.from(atob(stream), (letter) => letter.charCodeAt(0));
decode(bytes).then(({ width, height, rgba, isFinal }) => {
  window.picture = { width, height, rgba: [...rgba], isFinal };
});
