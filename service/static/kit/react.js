/** <Thumbnail src bytes image alt stream /> for React: the element's attributes as properties. */

import { createElement } from "react";

import "./element.js";

export function Thumbnail({ stream, ...attributes }) {
  return createElement("prefixel-img", { ...attributes, "data-stream": stream });
}
