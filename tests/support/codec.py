"""A small real codec for tests: 16x16 grey samples, one byte each, row by row.

It takes ``delay_seconds`` for a batch (sleeping, as a network that released the lock would) and
fails for batches that hold a picture of one colour, 1, 2, 3, when ``poison`` is set.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.codec.header import HEADER_BYTES, pack_header, parse_header
from service.codec.interface import Chunk, Encoded, Inspection, Level, Pixels
from service.errors import CodecError
from service.settings import Settings

DEFAULT: str = Settings.model_fields["default_codec"].default
"""The codec of uploads that name none, where nothing is set; the tests' codec stands in for it."""

CHUNK_BYTES = 16
POISON = (1, 2, 3)


@dataclass(frozen=True)
class GreyCodec:
    """Prefixes paint the rows that they have; the rest is mid grey."""

    name: str = DEFAULT
    wire_id: int = 31
    version: int = 0
    minimum_bytes: int = HEADER_BYTES
    maximum_bytes: int = HEADER_BYTES + 256
    picture_size: int = 32
    delay_seconds: float = 0.0
    poison: bool = False

    def encode(self, pictures: Pixels, aspects: Sequence[float]) -> list[Encoded]:
        """The samples, and levels that rise with each chunk."""
        time.sleep(self.delay_seconds)
        if self.poison and any((picture == POISON).all() for picture in pictures):
            raise ValueError("a poisonous picture")
        grey = pictures.mean(3).reshape(-1, 16, 2, 16, 2).mean((2, 4)).round().astype(np.uint8)
        levels = tuple(
            Level(HEADER_BYTES + CHUNK_BYTES * n, 0.5 + 0.03 * n, 15.0 + n) for n in range(1, 17)
        )
        return [
            Encoded(pack_header(self.wire_id, self.version, aspect) + one.tobytes(), levels)
            for one, aspect in zip(grey, aspects, strict=True)
        ]

    def streams(self, pictures: Pixels, aspects: Sequence[float]) -> list[bytes]:
        """Those of ``encode``."""
        return [encoded.stream for encoded in self.encode(pictures, aspects)]

    def decode(self, streams: Sequence[bytes]) -> list[Pixels]:
        """uint8 [32, 32, 3] each."""
        time.sleep(self.delay_seconds)
        return [self._paint(stream) for stream in streams]

    def _paint(self, stream: bytes) -> Pixels:
        self.inspect(stream)
        grey = np.full(256, 128, np.uint8)
        samples = np.frombuffer(stream, np.uint8, offset=HEADER_BYTES)
        grey[: len(samples)] = samples
        return np.kron(grey.reshape(16, 16), np.ones((2, 2), np.uint8))[..., None].repeat(3, 2)

    def inspect(self, stream: bytes) -> Inspection:
        """Header, and chunks of 16 bytes."""
        header = parse_header(stream)
        if (header.wire_id, header.version) != (self.wire_id, self.version):
            raise CodecError(f"wire id {header.wire_id} version {header.version} is not ours")
        if len(stream) > self.maximum_bytes:
            raise CodecError(f"a stream has at most {self.maximum_bytes} bytes")
        chunks = tuple(
            Chunk("row", begin, min(CHUNK_BYTES, len(stream) - begin))
            for begin in range(HEADER_BYTES, len(stream), CHUNK_BYTES)
        )
        complete = len(stream) == self.maximum_bytes
        return Inspection(
            self.name, self.wire_id, self.version, header.aspect, len(stream), complete, chunks
        )
