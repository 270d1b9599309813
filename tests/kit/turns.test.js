/** A turn ends after a while, and what waits for the thread runs before the next. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Turn } from "../../service/static/kit/core/turns.js";

test("a turn is over after a while, and others run before the next begins", async (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const turn = new Turn();
  assert.ok(!turn.isOver);
  now = 20;
  assert.ok(turn.isOver);
  let ran = false;
  setTimeout(() => {
    ran = true;
  });
  await turn.next();
  assert.ok(ran);
  assert.ok(!turn.isOver);
});
