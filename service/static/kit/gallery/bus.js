/** What the parts of the page tell each other: a kind, and who listens to it. */

const listeners = new Map();

export function on(kind, listener) {
  listeners.set(kind, [...(listeners.get(kind) ?? []), listener]);
}

export function tell(kind, detail) {
  for (const listener of listeners.get(kind) ?? []) listener(detail);
}

export function at(id) {
  return document.getElementById(id);
}
