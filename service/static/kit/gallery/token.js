/** The token of uploads: in the field, and nowhere else. */

import { at } from "./bus.js";

/** Headers of a request that needs the token. */
export function authorised() {
  const token = at("token").value.trim();
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** Show the field: a request was refused for want of a token. */
export function askForToken() {
  at("token-field").open = true;
  at("token").focus();
}

at("token").form.addEventListener("submit", (event) => event.preventDefault());
