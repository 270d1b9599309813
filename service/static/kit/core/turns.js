/** Long work in turns, so that the page's own thread answers between them. */
const TURN_MS = 8;

export class Turn {
  #began = performance.now();

  get isOver() {
    return performance.now() - this.#began > TURN_MS;
  }

  async next() {
    await (globalThis.scheduler?.yield?.() ?? new Promise((resume) => setTimeout(resume)));
    this.#began = performance.now();
  }
}
