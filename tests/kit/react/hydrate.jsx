/** Takes over what the server rendered; `window.late`: only once the element has told all. */

import { createElement } from "react";
import { hydrateRoot } from "react-dom/client";

import { App } from "./app.jsx";

window.told = [];
const { stream } = document.body.dataset;

window.hydrate = () => {
  hydrateRoot(document.getElementById("root"), createElement(App, { stream, told: window.told }), {
    onRecoverableError: (error) => console.error(error),
  });
};
if (location.hash !== "#late") window.hydrate();
