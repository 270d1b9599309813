"""The codec of Mentzer et al. 2018 for photos of any size, its context model in exact integers.

    encode   RGB -> network -> y, z [K, h, w]; z is 0 from channel y on -> nearest centres -> scan
    decode   symbols that the prefix decides -> centres, means for the others -> network -> RGB

A place of the volume stands for 8x8 pixels. The importance map y is not sent: what it masks is the
symbol of zero, which costs little where it is expected (``volume_coder``). The scan has the channel
outermost, so a prefix holds whole channels, and a place has used those that matter most to it
first. What a photo costs bounds its size: a larger one is shrunk, a header that asks for more is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.codec.artifact import Artifact
from service.codec.entropy.range_coder import MARGIN
from service.codec.geometry import Size
from service.codec.header import StreamHeader
from service.codec.importance import tables
from service.codec.importance.volume_coder import READ, WRITE, Small, empty, inside, scan, starts
from service.codec.interface import (
    KMAC_COST,
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
from service.errors import ArtifactError, CodecError
from service.inference import Runtime
from service.quality.ms_ssim import MS_SSIM_SIDE

STRIDE = 8
ENCODE_MEMORY, DECODE_MEMORY = 600, 400
"""Bytes a pixel, at the most: ``python -m tests.bench.importance``."""
LEVELS = 8
SHORTEST_SHARE = 1 / 20
"""The first of the lengths that are measured, in parts of the stream; the others rise evenly."""
BYTES_A_SYMBOL = 3
"""No symbol takes more."""
GAP = 2
"""Boxes leave twice the wanted side for Lanczos, as where photos are opened."""
_NO_CUTS = np.zeros(1, np.int64)
_NO_PRICE = np.zeros(1)
_NO_COUNTS = np.zeros((1, 1, 2), np.int64)
Floats = NDArray[np.float32]


class ImportanceMapCodec:
    """One artifact, loaded. Thread-safe: every call has its own models."""

    kind: Kind = "photo"
    minimum_bytes = header.LONGEST_BYTES
    picture_size: int | None = None
    efforts: tuple[Effort, ...] = ("default",)
    effort: Effort = "default"

    def __init__(self, artifact: Artifact, runtime: Runtime) -> None:
        """Raises ArtifactError when a graph, a table or a number is missing or does not fit."""
        manifest = artifact.manifest
        self.artifact_sha256: str | None = artifact.sha256
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        self.readable_versions = frozenset((manifest.version,))
        if manifest.pixel_limit is None:
            raise ArtifactError(f"{self.name}: the manifest lacks pixel_limit")
        self.pixel_limit = manifest.pixel_limit
        self.stored = tables.read(artifact.tables())
        self.channels = self.stored.missing.size
        self._fixed, self._starts = tables.fixed_of(self.stored), starts(self.channels)
        self._encoder = runtime.session(artifact.network("encoder"))
        self._decoder = runtime.session(artifact.network("decoder"))
        self._kmac = manifest.kmac_per_pixel
        if not {"encode", "decode"} <= self._kmac.keys():
            raise ArtifactError(f"{self.name}: the manifest does not say what a pixel costs")
        symbols = self.channels * self.pixel_limit // STRIDE**2
        self.maximum_bytes = self.minimum_bytes + BYTES_A_SYMBOL * symbols
        self._compile()

    def _compile(self) -> None:
        """Compile what encoding and decoding call, or load it from the cache."""
        grey = np.full((MS_SSIM_SIDE, MS_SSIM_SIDE, 3), 99, np.uint8)
        self.measure([grey], [self.stream(grey)])

    def header(self, prefix: bytes) -> StreamHeader:
        """The header, with the photo's size. Raises CodecError, also where it costs too much."""
        common = header_of(self, prefix)
        told = header.parse(prefix)
        size = told.size
        if told.order:
            raise CodecError(f"{self.name} tells photos in one order")
        if (pixels := _whole(size).pixels) > self.pixel_limit:
            raise CodecError(
                f"{size.width}x{size.height} is {pixels} pixels in whole blocks;"
                f" {self.name} has {self.pixel_limit} at most"
            )
        return replace(common, size=size, length_bytes=told.length_bytes)

    def cost(
        self,
        size: Size,
        prefix_bytes: int | None = None,
        of: Size | None = None,
    ) -> int:
        """By the networks' work, which is the same for every prefix; levels are measured too.

        They know one resolution, whichever is wanted.
        """
        pixels = _whole(self.coded_size(of or size)).pixels
        kmac = self._kmac["decode"]
        if prefix_bytes is None:
            kmac = self._kmac["encode"] + LEVELS * kmac
        return max(1, round(pixels * kmac * KMAC_COST))

    def memory(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """By pixels, as many as are coded of it."""
        a_pixel = ENCODE_MEMORY if prefix_bytes is None else DECODE_MEMORY
        return _whole(self.coded_size(of or size)).pixels * a_pixel

    def coded_size(self, size: Size) -> Size:
        """The largest of its shape that the limit allows."""
        low, high = 1, max(size.width, size.height)
        while low < high:
            side = (low + high + 1) // 2
            if _whole(size.within(side)).pixels <= self.pixel_limit:
                low = side
            else:
                high = side - 1
        return size.within(low)

    def encode(
        self,
        pictures: Sequence[Pixels],
        aspects: Sequence[float],  # noqa: ARG002 - a photo has that of its pixels
        effort: Effort | None = None,  # noqa: ARG002 - there is one
    ) -> list[Encoded]:
        """Whole streams of uint8 [H, W, 3] each; nothing is measured."""
        return [Encoded(self.stream(picture)) for picture in pictures]

    def stream(self, picture: Pixels) -> bytes:
        """The whole stream of uint8 [H, W, 3]; a picture over the limit is shrunk."""
        picture = self._shrunk(picture)
        head = header.pack(self.wire_id, self.version, Size.of(picture), 0)
        volume = self._volume(picture)
        out = np.zeros(BYTES_A_SYMBOL * inside(volume).size + MARGIN, np.uint8)
        length = self._scan(WRITE, volume, out, _NO_CUTS, _NO_CUTS)
        return head + out[:length].tobytes()

    def _shrunk(self, picture: Pixels) -> Pixels:
        size = Size.of(picture)
        coded = self.coded_size(size)
        if coded == size:
            return picture
        wanted = coded.width, coded.height
        small = Image.fromarray(picture).resize(wanted, Image.Resampling.LANCZOS, reducing_gap=GAP)
        return np.asarray(small)

    def _volume(self, picture: Pixels) -> Small:
        """The symbols of a picture, counted from that of zero, with their borders."""
        found = self._found(picture)
        volume = empty(self.channels, *found.shape[1:])
        centres = self.stored.centres
        borders = (centres[1:] + centres[:-1]) / 2
        symbols = np.searchsorted(borders, self.masked(found))
        inside(volume)[:] = symbols - self.stored.zero
        return volume

    def _found(self, picture: Pixels) -> Floats:
        """What the network makes of uint8 [H, W, 3]: the map, where there is one, and z."""
        size = Size.of(picture)
        whole = _whole(size)
        more = (0, whole.height - size.height), (0, whole.width - size.width), (0, 0)
        filled = np.pad(picture, more, mode="edge").transpose(2, 0, 1)[None]
        [found] = self._encoder.run({"photo": filled.astype(np.float32)}).values()
        return np.asarray(found[0])

    def importance(self, picture: Pixels) -> Floats:
        """The map y [h, w] of a picture that need not be shrunk: 0 to K."""
        return self._levels(self._found(picture))

    def _levels(self, found: Floats) -> Floats:
        return np.asarray(self.channels / (1 + np.exp(-found[-self.channels - 1])))

    def masked(self, found: Floats) -> Floats:
        """z [K, h, w], 0 where the map before it, [1 + K, h, w], masks it; without a map z itself.

        ceil(clip(y - k, 0, 1)) is whether y > k.
        """
        z = found[-self.channels :]
        if len(found) == self.channels:
            return z
        y = self._levels(found)
        return np.where(y > np.arange(self.channels)[:, None, None], z, np.float32(0))

    def _scan(
        self,
        mode: int,
        volume: Small,
        data: NDArray[np.uint8],
        cuts: NDArray[np.int64],
        decided: NDArray[np.int64],
    ) -> int:
        stored = self.stored
        return scan(
            mode,
            stored.zero,
            stored.centres.size - 1,
            self._starts,
            tables.models_of(stored),
            self._fixed,
            volume,
            data,
            cuts,
            decided,
            _NO_PRICE,
            _NO_COUNTS,
        )

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """``LEVELS`` prefixes each."""
        return [self._measured(self._shrunk(p), s) for p, s in zip(pictures, streams, strict=True)]

    def _measured(self, picture: Pixels, stream: bytes) -> tuple[Level, ...]:
        first = min(max(self.minimum_bytes, len(stream) * SHORTEST_SHARE), len(stream))
        cuts = sorted({round(cut) for cut in np.geomspace(first, len(stream), LEVELS)})
        shown = self.decode_cuts(stream, cuts)
        return tuple(level(cut, picture, one) for cut, one in zip(cuts, shown, strict=True))

    def measured_size(self, size: Size) -> Size:
        """That of the stream."""
        return self.coded_size(size)

    def decode(
        self,
        prefixes: Sequence[bytes],
        size: int | None = None,  # noqa: ARG002 - the network knows one resolution
    ) -> list[Pixels]:
        """Paint prefixes of any lengths: uint8 [H, W, 3] each, in the stream's own size."""
        return [next(self.decode_cuts(prefix, [len(prefix)])) for prefix in prefixes]

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes of ``cuts`` bytes, ascending: uint8 [H, W, 3] each, parsed once."""
        head = self.header(stream)
        assert head.size is not None
        return self._painted(head.size, *self.parse(stream, cuts))

    def parse(self, stream: bytes, cuts: Sequence[int]) -> tuple[Small, list[int]]:
        """Symbols of the longest cut, [K, h, w] from that of zero, and how many each decides."""
        head = self.header(stream)
        assert head.size is not None
        whole = _whole(head.size)
        data = np.frombuffer(bytearray(stream), np.uint8)[head.length_bytes :]
        limits = np.clip(np.array(cuts, np.int64) - head.length_bytes, 0, len(data))
        volume = empty(self.channels, whole.height // STRIDE, whole.width // STRIDE)
        decided = np.zeros(len(cuts), np.int64)
        if len(cuts):
            self._scan(READ, volume, data, limits, decided)
        return inside(volume), decided.tolist()

    def _painted(self, size: Size, symbols: Small, decided: Sequence[int]) -> Iterator[Pixels]:
        stored = self.stored
        known = stored.centres[symbols.astype(np.int64) + stored.zero]
        for count in decided:
            values = np.empty_like(known)
            values[:] = stored.missing[:, None, None]
            values.reshape(-1)[:count] = known.reshape(-1)[:count]
            [shown] = self._decoder.run({"values": values[None]}).values()
            rgb = shown[0, :, : size.height, : size.width].transpose(1, 2, 0)
            yield np.ascontiguousarray(np.rint(np.clip(rgb, 0, 255)).astype(np.uint8))

    def inspect(self, stream: bytes) -> Inspection:
        """The header, the payload, and how many symbols and whole channels it decides."""
        head = self.header(stream)
        assert head.size is not None
        symbols, [count] = self.parse(stream, [len(stream)])
        facts = {
            "width": head.size.width,
            "height": head.size.height,
            "symbols": count,
            "channels": count // symbols[0].size,
        }
        chunks = [Chunk("symbols", head.length_bytes, len(stream) - head.length_bytes)]
        whole = count == symbols.size
        return Inspection.of(self, head, stream, chunks, complete=whole, facts=facts)


def _whole(size: Size) -> Size:
    """What the networks compute: whole blocks of ``STRIDE`` pixels a side."""
    return Size(-(-size.width // STRIDE) * STRIDE, -(-size.height // STRIDE) * STRIDE)
