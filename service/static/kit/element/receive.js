/** The bytes of answers, as they come. */

/**
 * Longer and longer prefixes: `before` and what has come of the answer behind it; none where it is
 * empty. They share their memory, which is not written to again. Who stops asking ends the answer.
 */
export async function* receive(answer, before) {
  let buffer = new Uint8Array(Math.max(2 * before.length, 4096));
  buffer.set(before);
  let { length } = before;
  const reader = answer.body?.getReader();
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
      const end = length + part.value.length;
      if (end > buffer.length) {
        const larger = new Uint8Array(Math.max(end, 2 * buffer.length));
        larger.set(buffer.subarray(0, length));
        buffer = larger;
      }
      buffer.set(part.value, length);
      length = end;
      yield buffer.subarray(0, length);
    }
  } finally {
    reader?.cancel().catch(() => {});
  }
}
