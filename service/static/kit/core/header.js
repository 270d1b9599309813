/** The two bytes that every stream begins with (FORMAT.md, "Header"). */

export const HEADER_BYTES = 2;

/** Bytes that are no stream of a codec this kit has; the only error that bytes can cause. */
export class StreamError extends Error {
  name = "StreamError";
}

/** A stream that may be whole, but that this kit has no decoder for: the service may. */
export class UnpaintableError extends StreamError {}

/** Wire id, version and aspect ratio (width / height) of a prefix. Throws StreamError. */
export function readHeader(bytes) {
  if (bytes.length < HEADER_BYTES) {
    throw new StreamError(`a stream has a header of 2 bytes; this one has ${bytes.length}`);
  }
  if (bytes[1] & 1) throw new StreamError("the reserved bit of the header is set");
  return {
    wireId: bytes[0] >> 3,
    version: bytes[0] & 7,
    aspect: 2 ** (((bytes[1] >> 1) - 64) / 24),
  };
}
