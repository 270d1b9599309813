/**
 * What elements want painted: a sketch in this thread, a sketch in the worker, the network's
 * picture, in this order and few at a time. Of an element's wishes only the last one counts.
 */

import { Turn } from "../core/turns.js";
import { StreamError } from "../core/header.js";
import { decodeMany, preload, prepareSketches, sketch, sketchMany } from "../thumb/thumbs.js";

/** How long inline streams may keep the page's own thread; those after them go to the worker. */
const SKETCHES_MS = 30;
/** Pictures in a message, few enough to show at once; messages at a time, so that none waits. */
const BATCH = 16;
const BATCHES = 2;

export const inline = new Map();
export const unpainted = new Map();
export const unrefined = new Map();

let sketchedMs = 0;
let batches = 0;
let isSketching = false;
let hasBegun = false;
/** Whether the network is here, so that what it paints is final. */
let isNetworkHere = false;

/** Where the next bytes of an element go that has `painted` something, or not. */
export function queueFor(painted) {
  return isNetworkHere && painted ? unrefined : unpainted;
}

export function enqueue(queue, element, wanted) {
  for (const other of [inline, unpainted, unrefined]) other.delete(element);
  queue.set(element, wanted);
  if (!hasBegun) begin();
  // all that is asked for in one turn of the page is painted together
  queueMicrotask(queue === inline ? sketchInline : paintAll);
}

/** The worker and the weights, for the first that wants to be painted. */
function begin() {
  hasBegun = true;
  preload().then(refineAll, (error) => {
    // the weights are away: closed forms stay
    for (const element of unrefined.keys()) element.fail(error);
  });
}

function refineAll() {
  isNetworkHere = true;
  for (let n = 0; n < BATCHES; n += 1) paintAll();
}

/**
 * Few messages to the worker at a time: what is asked for meanwhile waits, only its last bytes.
 * All are sketched before the network refines the first of them.
 */
async function paintAll() {
  if (batches === BATCHES) return;
  batches += 1;
  while (unpainted.size > 0 || (isNetworkHere && unrefined.size > 0)) {
    const [queue, paint] = unpainted.size > 0 ? [unpainted, sketchMany] : [unrefined, decodeMany];
    const batch = [...queue].slice(0, BATCH);
    for (const [element] of batch) queue.delete(element);
    const streams = batch.map(([, { bytes }]) => bytes);
    try {
      const pictures = await paint(streams);
      batch.forEach(([element, wanted], n) => element.settle(wanted, pictures[n]));
    } catch (error) {
      for (const [element] of batch) element.fail(error);
    }
  }
  batches -= 1;
}

/** What cannot be sketched the worker paints, or tells. */
async function sketchInline() {
  if (isSketching) return;
  isSketching = true;
  const turn = new Turn();
  await turn.next();
  if (!isNetworkHere) prepareSketches(); // takes a turn of its own
  await turn.next();
  for (const [element, wanted] of inline) {
    inline.delete(element);
    if (isNetworkHere || sketchedMs > SKETCHES_MS || !isSketched(element, wanted)) {
      enqueue(unpainted, element, wanted);
    }
    if (turn.isOver) await turn.next();
  }
  isSketching = false;
}

function isSketched(element, wanted) {
  const began = performance.now();
  try {
    element.settle(wanted, sketch(wanted.bytes));
    return true;
  } catch (error) {
    if (error instanceof StreamError) return false;
    throw error;
  } finally {
    sketchedMs += performance.now() - began;
  }
}
