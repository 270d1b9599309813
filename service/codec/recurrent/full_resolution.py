"""Recurrent codecs of photos of any size: raw bits, 32 for 16x16 pixels in each iteration.

    encode   b_t = B(E(g_{t-1} (x - x_{t-1})))
    decode   x_t = D(b_t) / g_{t-1} + gamma x_{t-1}, as far as the prefix reaches

A picture is computed whole, so there are no seams; each on its own, so that what a stream paints
does not hang on its neighbours in a batch. Bits that a cut iteration lacks are fed as 0. What a
photo costs bounds its size: a larger one is shrunk, a header that asks for more is refused.
Sources: Toderici et al. 2016 and Johnston et al. 2017 (``loop``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from service.codec.artifact import Artifact
from service.codec.geometry import Size
from service.codec.header import StreamHeader
from service.codec.interface import (
    Chunk,
    Effort,
    Encoded,
    Inspection,
    Kind,
    Level,
    header_of,
)
from service.codec.photo import header
from service.codec.photo.levels import level
from service.codec.pixels import Pixels
from service.codec.recurrent.codec import FROM_BYTE, Floats, to_rgb
from service.codec.recurrent.grid import TILE, BitGrid, order_of, shrunk_size
from service.codec.recurrent.loop import Analysis, Networks, Synthesis
from service.errors import ArtifactError, CodecError
from service.inference import Runtime

BITS = 32
POSITION_BYTES = BITS // 8
KMAC_COST = 70
"""Nanoseconds of one core for a thousand multiplications and additions, with all that is around
them."""
ENCODE_MEMORY, DECODE_MEMORY = 1900, 1300
"""Bytes a pixel, at the most: states, and what the runtime holds beside.

``python -m tests.proofs.recurrent`` prints both."""
GAP = 2
"""Boxes leave twice the wanted side for Lanczos, as where photos are opened."""


class FullResolutionCodec:
    """One artifact, loaded. Thread-safe: every call has its own states."""

    kind: Kind = "photo"
    minimum_bytes = header.LONGEST_BYTES
    picture_size: int | None = None
    efforts: tuple[Effort, ...] = ("default",)
    effort: Effort = "default"

    def __init__(
        self, artifact: Artifact, runtime: Runtime, pixel_limit: int | None = None
    ) -> None:
        """``pixel_limit`` in place of the artifact's, where nobody waits.

        Raises ArtifactError when a graph or a number is missing.
        """
        manifest = artifact.manifest
        self.artifact_sha256: str | None = artifact.sha256
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        self.readable_versions = frozenset((manifest.version,))
        if manifest.iterations is None or manifest.pixel_limit is None:
            raise ArtifactError(f"{self.name}: the manifest lacks iterations or pixel_limit")
        self.iterations = manifest.iterations
        self.pixel_limit = pixel_limit or manifest.pixel_limit
        self.networks = Networks.load(artifact, runtime)
        self._kmac = manifest.kmac_per_pixel
        self._block = TILE if self.networks.gain is None else 2 * TILE  # a gain is of 32x32 pixels
        positions = self.pixel_limit // TILE**2
        self.maximum_bytes = self.minimum_bytes + self.iterations * positions * POSITION_BYTES

    def header(self, prefix: bytes) -> StreamHeader:
        """The header, with the photo's size. Raises CodecError, also where it costs too much."""
        common = header_of(self, prefix)
        size, order, _, length = header.parse(prefix)
        if order:
            raise CodecError(f"{self.name} tells photos in one order")
        if (pixels := self._grid(size).pixels) > self.pixel_limit:
            raise CodecError(
                f"{size.width}x{size.height} is {pixels} pixels in whole blocks;"
                f" {self.name} has {self.pixel_limit} at most"
            )
        return replace(common, size=size, length_bytes=length)

    def cost(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """By the networks' work; a prefix has as many iterations as it reaches into.

        They know one resolution, whichever is wanted.
        """
        grid = self._grid(self.coded_size(of or size))
        if prefix_bytes is None:
            return round(grid.pixels * self._kmac["encode"] * KMAC_COST)
        once = self._kmac["decoder_iteration"]
        needed = self._needed(grid, prefix_bytes - self.minimum_bytes)
        primed = self._kmac["decode"] - once * self.iterations  # the runs that paint nothing
        primed *= needed / self.iterations if self.networks.diffusion else 1
        return round(grid.pixels * (needed * once + primed) * KMAC_COST)

    def memory(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """By pixels, as many as are coded of it."""
        a_pixel = ENCODE_MEMORY if prefix_bytes is None else DECODE_MEMORY
        return self._grid(self.coded_size(of or size)).pixels * a_pixel

    def coded_size(self, size: Size) -> Size:
        """The largest of its shape that the limit allows."""
        return shrunk_size(size, self._block, self.pixel_limit)

    def encode(
        self,
        pictures: Sequence[Pixels],
        aspects: Sequence[float],  # noqa: ARG002 - a photo has that of its pixels
        effort: Effort | None = None,  # noqa: ARG002 - there is one
    ) -> list[Encoded]:
        """Whole streams of uint8 [H, W, 3] each; a level at the end of every iteration."""
        return [self._encoded(self._shrunk(picture)) for picture in pictures]

    def _shrunk(self, picture: Pixels) -> Pixels:
        size = Size.of(picture)
        coded = self.coded_size(size)
        if coded == size:
            return picture
        wanted = coded.width, coded.height
        small = Image.fromarray(picture).resize(wanted, Image.Resampling.LANCZOS, reducing_gap=GAP)
        return np.asarray(small)

    def _encoded(self, picture: Pixels) -> Encoded:
        size = Size.of(picture)
        grid = self._grid(size)
        stream = bytearray(header.pack(self.wire_id, self.version, size, 0))
        levels: list[Level] = []
        for bits, shown in self.steps(picture):
            told = bits.reshape(BITS, -1)[:, order_of(grid)]
            stream += np.packbits(told.reshape(-1) > 0).tobytes()
            levels.append(level(len(stream), picture, _cut(shown, size)))
        return Encoded(bytes(stream), tuple(levels))

    def steps(self, picture: Pixels) -> Iterator[tuple[Floats, Floats]]:
        """Each iteration's bits [1, 32, rows, columns] and picture [1, 3, 16 rows, 16 columns]."""
        grid = self._grid(Size.of(picture))
        x = grid.filled(picture).transpose(2, 0, 1)[None] * np.float32(FROM_BYTE) - np.float32(0.9)
        x = np.ascontiguousarray(x, np.float32)
        analysis, synthesis = Analysis(self.networks, grid), Synthesis(self.networks, grid)
        for _ in range(self.iterations):
            bits = analysis.step(synthesis.gain * (x - synthesis.picture))
            yield bits, synthesis.step(bits)

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """A level at the end of every iteration, and at that of the stream."""
        return [self._measured(self._shrunk(p), s) for p, s in zip(pictures, streams, strict=True)]

    def _measured(self, picture: Pixels, stream: bytes) -> tuple[Level, ...]:
        head = self.header(stream)
        chunk = self._grid(_size_of(head)).positions * POSITION_BYTES
        whole = head.length_bytes + self.iterations * chunk
        ends = [*range(head.length_bytes + chunk, min(len(stream), whole), chunk), len(stream)]
        shown = self.decode_cuts(stream, ends)
        return tuple(level(end, picture, one) for end, one in zip(ends, shown, strict=True))

    def measured_size(self, size: Size) -> Size:
        """That of the stream."""
        return size

    def decode(
        self,
        prefixes: Sequence[bytes],
        size: int | None = None,  # noqa: ARG002 - the networks know one resolution
    ) -> list[Pixels]:
        """Paint prefixes of any lengths: uint8 [H, W, 3] each, in the stream's own size."""
        return [next(self.decode_cuts(prefix, [len(prefix)])) for prefix in prefixes]

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes one after the other: each goes on where whole iterations before it end."""
        head = self.header(stream)
        return self._painted_cuts(stream, head.length_bytes, _size_of(head), cuts)

    def _painted_cuts(
        self, stream: bytes, start: int, size: Size, cuts: Sequence[int]
    ) -> Iterator[Pixels]:
        grid = self._grid(size)
        synthesis, done = Synthesis(self.networks, grid), 0
        for cut in cuts:
            prefix = stream[start:cut]
            last = self._needed(grid, len(prefix)) - 1
            for t in range(done, last):
                synthesis.step(_bits(grid, prefix, t))
            done = max(done, last)
            yield _cut(synthesis.fork().step(_bits(grid, prefix, last)), size)

    def _grid(self, size: Size) -> BitGrid:
        return BitGrid.over(size, self._block)

    def _needed(self, grid: BitGrid, payload_bytes: int) -> int:
        """Iterations that a prefix reaches into; a bare header still gives the first picture."""
        reached = -(-payload_bytes // (grid.positions * POSITION_BYTES))
        return min(self.iterations, max(1, reached))

    def inspect(self, stream: bytes) -> Inspection:
        """The header and the iterations, the last one perhaps cut."""
        head = self.header(stream)
        size = _size_of(head)
        length = self._grid(size).positions * POSITION_BYTES
        end = min(len(stream), head.length_bytes + self.iterations * length)
        starts = range(head.length_bytes, end, length)
        chunks = [
            Chunk(f"iteration {t + 1}", start, min(length, end - start))
            for t, start in enumerate(starts)
        ]
        whole = end == head.length_bytes + self.iterations * length
        facts = {
            "width": size.width,
            "height": size.height,
            "iterations": len(chunks),
            "iterations_at_most": self.iterations,
        }
        return Inspection.of(self, head, stream, chunks, complete=whole, facts=facts)


def _size_of(head: StreamHeader) -> Size:
    assert head.size is not None
    return head.size


def _cut(planes: Floats, size: Size) -> Pixels:
    """The picture without what fills up its blocks: uint8 [H, W, 3]."""
    shown: Pixels = to_rgb(planes[:, :, : size.height, : size.width])[0]
    return shown


def _bits(grid: BitGrid, payload: bytes, iteration: int) -> Floats:
    """[1, 32, rows, columns] of -1, +1, and 0 where the payload has ended."""
    length = grid.positions * POSITION_BYTES
    told = np.frombuffer(payload[iteration * length : (iteration + 1) * length], np.uint8)
    flat = np.zeros(8 * length, np.float32)
    flat[: 8 * len(told)] = np.unpackbits(told).astype(np.float32) * 2 - 1
    bits = np.empty((BITS, grid.positions), np.float32)
    bits[:, order_of(grid)] = flat.reshape(BITS, -1)
    return bits.reshape(1, BITS, grid.rows, grid.columns)
