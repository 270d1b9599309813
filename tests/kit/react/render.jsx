/** `node render.js STREAM`: the page, rendered here. */

import { createElement } from "react";
import { renderToString } from "react-dom/server";

import { App } from "./app.jsx";

console.log(renderToString(createElement(App, { stream: process.argv[2] })));
