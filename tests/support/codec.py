"""Small real codecs for tests: one of thumbnails, one of photos.

``GreyCodec`` keeps 16x16 grey samples, one byte each, row by row. It takes ``delay_seconds`` for a
batch (sleeping, as a network that released the lock would), does nothing while the file ``gate`` is
there, and fails for batches that hold a picture of one colour, 1, 2, 3, when ``poison`` is set.

``RawPhotoCodec`` keeps the pixels of a photo of any size as they are, three bytes each: first those
of a grid of 16, then of 8, 4, 2, 1. A pixel that is not known yet is the one up and left of it.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from service.codec.geometry import Size
from service.codec.header import HEADER_BYTES, StreamHeader, aspect_code, aspect_of, pack_header
from service.codec.interface import (
    Chunk,
    Effort,
    Encoded,
    Inspection,
    Kind,
    Level,
    Pixels,
    header_of,
)
from service.errors import CodecError
from service.quality.psnr import psnr
from service.quality.ssim import BLOCK, block_ssim
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
    readable_versions: frozenset[int] = frozenset((0,))
    minimum_bytes: int = HEADER_BYTES
    maximum_bytes: int = HEADER_BYTES + 256
    kind: Kind = "thumb"
    picture_size: int | None = 32
    efforts: tuple[Effort, ...] = ("default",)
    effort: Effort = "default"
    artifact_sha256: str | None = None
    delay_seconds: float = 0.0
    gate: Path | None = None
    poison: bool = False

    def header(self, prefix: bytes) -> StreamHeader:
        """Two bytes."""
        return header_of(self, prefix)

    def cost(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """As much for painting as for encoding."""
        return size.pixels

    def memory(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """Next to nothing."""
        return 0

    def encode(
        self, pictures: Sequence[Pixels], aspects: Sequence[float], effort: Effort | None = None
    ) -> list[Encoded]:
        """The samples."""
        self._wait()
        if self.poison and any((picture == POISON).all() for picture in pictures):
            raise ValueError("a poisonous picture")
        rgb = np.stack(pictures)
        grey = rgb.mean(3).reshape(-1, 16, 2, 16, 2).mean((2, 4)).round().astype(np.uint8)
        return [
            Encoded(pack_header(self.wire_id, self.version, aspect) + one.tobytes())
            for one, aspect in zip(grey, aspects, strict=True)
        ]

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """Levels that rise with each chunk."""
        levels = tuple(
            Level(HEADER_BYTES + CHUNK_BYTES * n, 0.5 + 0.03 * n, 15.0 + n) for n in range(1, 17)
        )
        return [levels for _ in streams]

    def coded_size(self, size: Size) -> Size:
        """Its own."""
        return size

    def measured_size(self, size: Size) -> Size:
        """Its own."""
        return size

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> list[Pixels]:
        """uint8 [32, 32, 3] each."""
        self._wait()
        return [self._paint(prefix) for prefix in prefixes]

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """One after the other."""
        return (self._paint(stream[:cut]) for cut in cuts)

    def _wait(self) -> None:
        while self.gate and self.gate.exists():
            time.sleep(0.01)
        time.sleep(self.delay_seconds)

    def _paint(self, stream: bytes) -> Pixels:
        self.header(stream)
        grey = np.full(256, 128, np.uint8)
        samples = np.frombuffer(stream, np.uint8, offset=HEADER_BYTES)
        grey[: len(samples)] = samples
        return np.kron(grey.reshape(16, 16), np.ones((2, 2), np.uint8))[..., None].repeat(3, 2)

    def inspect(self, stream: bytes) -> Inspection:
        """Header, and chunks of 16 bytes."""
        header = self.header(stream)
        chunks = [
            Chunk("row", begin, min(CHUNK_BYTES, len(stream) - begin))
            for begin in range(HEADER_BYTES, len(stream), CHUNK_BYTES)
        ]
        complete = len(stream) == self.maximum_bytes
        return Inspection.of(self, header, stream, chunks, complete=complete, facts={})


PHOTO_HEADER_BYTES = HEADER_BYTES + 4
STEPS = (16, 8, 4, 2, 1)
LEVELS = 16


@dataclass(frozen=True)
class RawPhotoCodec:
    """Width and height (16 bits each, the lowest byte first), then pixels, coarse grids first."""

    name: str = "raw-photo"
    wire_id: int = 29
    version: int = 0
    readable_versions: frozenset[int] = frozenset((0,))
    minimum_bytes: int = PHOTO_HEADER_BYTES
    maximum_bytes: int = PHOTO_HEADER_BYTES + 3 * 2**24
    kind: Kind = "photo"
    picture_size: int | None = None
    efforts: tuple[Effort, ...] = ("default",)
    effort: Effort = "default"
    artifact_sha256: str | None = None
    delay_seconds: float = 0.0

    def header(self, prefix: bytes) -> StreamHeader:
        """Two bytes and the size."""
        header = header_of(self, prefix)
        if len(prefix) < PHOTO_HEADER_BYTES:
            raise CodecError(f"a photo's header has {PHOTO_HEADER_BYTES} bytes, not {len(prefix)}")
        size = Size(*struct.unpack_from("<HH", prefix, HEADER_BYTES))
        if not size.is_photo:
            raise CodecError(f"{size.width} x {size.height} is not a photo's size")
        if header.aspect != aspect_of(aspect_code(size.aspect)):
            raise CodecError("byte 1 has another aspect than the size")
        return replace(header, size=size, aspect=size.aspect, length_bytes=PHOTO_HEADER_BYTES)

    def cost(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """As much for painting as for encoding."""
        return 10 * size.pixels

    def memory(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """Another copy of the pixels."""
        return 3 * size.pixels

    def encode(
        self, pictures: Sequence[Pixels], aspects: Sequence[float], effort: Effort | None = None
    ) -> list[Encoded]:
        """The pixels in their order."""
        time.sleep(self.delay_seconds)
        return [Encoded(self._stream(picture)) for picture in pictures]

    def _stream(self, picture: Pixels) -> bytes:
        size = Size.of(picture)
        order, _ = _visits(size)
        header = pack_header(self.wire_id, self.version, size.aspect)
        return b"".join(
            (header, struct.pack("<HH", size.width, size.height), picture.reshape(-1, 3)[order])
        )

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """At 16 lengths on a geometric grid; a photo of no whole block has an SSIM of 0."""
        found = []
        for picture, stream in zip(pictures, streams, strict=True):
            cuts = np.geomspace(PHOTO_HEADER_BYTES, len(stream), LEVELS).round().astype(int)
            ends = sorted(set(cuts.tolist()))
            levels = []
            for end, shown in zip(ends, self.decode_cuts(stream, ends), strict=True):
                pair = picture[None], shown[None]
                ssim = block_ssim(*pair)[0] if min(picture.shape[:2]) >= BLOCK else 0.0
                levels.append(Level(end, float(ssim), float(psnr(*pair)[0])))
            found.append(tuple(levels))
        return found

    def coded_size(self, size: Size) -> Size:
        """Its own."""
        return size

    def measured_size(self, size: Size) -> Size:
        """Its own."""
        return size

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> list[Pixels]:
        """uint8 [H, W, 3] each, or every 2nd, 4th, 8th, 16th pixel where ``size`` has fewer."""
        time.sleep(self.delay_seconds)
        return [self._paint(prefix, size) for prefix in prefixes]

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """One after the other."""
        return (self._paint(stream[:cut], None) for cut in cuts)

    def _paint(self, prefix: bytes, side: int | None) -> Pixels:
        size = self.header(prefix).size
        assert size is not None
        order, steps = _visits(size)
        known = min((len(prefix) - PHOTO_HEADER_BYTES) // 3, size.pixels)
        flat = np.full((size.pixels, 3), 128, np.uint8)
        sent = np.frombuffer(prefix, np.uint8, 3 * known, PHOTO_HEADER_BYTES).reshape(-1, 3)
        flat[order[:known]] = sent
        is_known = np.zeros(size.pixels, bool)
        is_known[order[:known]] = True
        picture = np.full((size.height, size.width, 3), 128, np.uint8)
        for step in STEPS:
            here = (is_known & (steps >= step)).reshape(size.height, size.width)
            known_here, values = _coarse(here, step), _coarse(flat.reshape(picture.shape), step)
            picture = np.where(known_here[..., None], values, picture)
        longest = max(size.width, size.height)
        step = next((s for s in STEPS if side is not None and -(-longest // s) >= side), 1)
        return np.ascontiguousarray(picture[::step, ::step])

    def inspect(self, stream: bytes) -> Inspection:
        """Header and pixels."""
        header = self.header(stream)
        assert header.size is not None
        payload = [Chunk("pixels", PHOTO_HEADER_BYTES, len(stream) - PHOTO_HEADER_BYTES)]
        complete = len(stream) >= PHOTO_HEADER_BYTES + 3 * header.size.pixels
        return Inspection.of(self, header, stream, payload, complete=complete, facts={})


def _visits(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (flat) in the order of the stream; and by pixel, the coarsest grid that has it."""
    rows, columns = np.indices((size.height, size.width)).reshape(2, -1)
    steps = np.select([(rows % s == 0) & (columns % s == 0) for s in STEPS], STEPS)
    return np.argsort(-steps, kind="stable"), steps


def _coarse(samples: np.ndarray, step: int) -> np.ndarray:
    """Every ``step``-th of [H, W, ...] in the place of all that are right of and below it."""
    large = samples[::step, ::step].repeat(step, 0).repeat(step, 1)
    return large[: samples.shape[0], : samples.shape[1]]
