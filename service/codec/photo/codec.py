"""The codec `photo`: a picture of any size as one stream, of which every prefix is a picture.

    encode   RGB -> three colour axes -> 9/7 wavelet -> integers -> passes of bit-planes
    decode   symbols that the prefix decides -> means of their cells -> inverse transforms -> RGB

The scan (``bitplane_coder``) sees integers alone. Sources: zero cells of double width and planes as
in Shapiro 1993, order by squared error a bit as in Li and Lei 1999, contexts of known magnitudes as
in Taubman 2000, mixed predictions as in Mahoney 2005.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from service.codec.artifact import Artifact
from service.codec.entropy.range_coder import MARGIN
from service.codec.geometry import PHOTO_PIXELS, Size
from service.codec.header import StreamHeader
from service.codec.interface import Effort, Encoded, Inspection, Kind, Level, header_of
from service.codec.photo import bitplane_coder, header, levels, tables, transform
from service.codec.photo.bitplane_coder import Fixed, Models
from service.codec.photo.order import LEVEL, Grid, Ints, grid_of, sizes_of
from service.codec.photo.parse import Parse
from service.codec.photo.prices import pass_chunks
from service.codec.photo.tables import ORDERS
from service.codec.photo.transform import Steps
from service.codec.pixels import Pixels
from service.errors import ArtifactError
from service.inference import Runtime
from service.quality.ms_ssim import MS_SSIM_SIDE

GOOD_PSNR = 42.0
"""dB: a stream ends once its picture is so close, or at ``bits_a_pixel``."""
BITS_A_PIXEL = 2.0
MOST_BITS_A_PIXEL = 8
"""What a stream may have that another encoder made."""
LEAST_PAYLOAD_BYTES = 512
"""A small picture may take so many, whatever its pixels allow."""
GRIDS = 8
"""Geometries that are kept: that of 16 megapixels takes 2 MB."""
ENCODE_COST, DECODE_COST, DECODE_COST_A_BYTE = 700, 60, 2500
"""About, in nanoseconds of one core: a pixel encoded, a pixel painted, a byte parsed.

``python -m tests.bench.photo`` prints what they come to."""
ENCODE_MEMORY = 48
"""Bytes a pixel, at the most."""
_NO_PRICE = np.zeros((1, 2))
_NO_COUNTS = np.zeros((1, 1, 2), np.int64)
T = TypeVar("T")


class PhotoCodec:
    """One artifact, loaded. Thread-safe: tables are never written.

    ``order`` names what streams are made for (``tables.ORDERS``); a decoder reads it in the header.
    """

    kind: Kind = "photo"
    minimum_bytes = header.LONGEST_BYTES
    picture_size: int | None = None
    efforts: tuple[Effort, ...] = ("default",)
    effort: Effort = "default"
    maximum_bytes = header.LONGEST_BYTES + MOST_BITS_A_PIXEL * PHOTO_PIXELS // 8

    def __init__(
        self,
        artifact: Artifact,
        runtime: Runtime,
        *,
        bits_a_pixel: float = BITS_A_PIXEL,
        order: str = ORDERS[0],
    ) -> None:
        """Raises ArtifactError when tables are missing or damaged."""
        manifest = artifact.manifest
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        self.readable_versions = frozenset((manifest.version,))
        self.artifact_sha256: str | None = artifact.sha256
        if manifest.graphs:
            raise ArtifactError(f"{self.name}: version {self.version} has no networks")
        self.bits_a_pixel, self.order = bits_a_pixel, ORDERS.index(order)
        self.stored = tables.read(artifact.tables())
        self._fixed, self._models = tables.fixed_of(self.stored), tables.models_of(self.stored)
        self._pool = ThreadPoolExecutor(runtime.threads, "prefixel-photo")
        self._several = runtime.threads > 1
        self.geometry = lru_cache(GRIDS)(self._geometry)
        self._compile()

    def _compile(self) -> None:
        """Compile what encoding, measuring and decoding call, or load it from the cache."""
        grey = np.full((MS_SSIM_SIDE, MS_SSIM_SIDE, 3), 99, np.uint8)
        for writeable in (True, False):  # an opened picture may be either
            grey.flags.writeable = writeable
            self.measure([grey], [self.stream(grey)])

    def _geometry(self, size: Size, order: int) -> tuple[Grid, Steps]:
        grid = grid_of(size.height, size.width, self.stored.slopes[order], self.stored.usual)
        return grid, transform.steps_of(self.stored, order, grid)

    def header(self, prefix: bytes) -> StreamHeader:
        """The header, with the photo's size. Raises CodecError."""
        common = header_of(self, prefix)
        size, _, length = header.parse(prefix)
        return replace(common, size=size, length_bytes=length)

    def cost(self, size: Size, prefix_bytes: int | None = None) -> int:
        """By pixels; a prefix by what is parsed of it and the pixels that are painted."""
        if prefix_bytes is None:
            return size.pixels * ENCODE_COST
        return max(1, size.pixels * DECODE_COST + prefix_bytes * DECODE_COST_A_BYTE)

    def memory(self, size: Size) -> int:
        """By pixels."""
        return size.pixels * ENCODE_MEMORY

    def encode(
        self,
        pictures: Sequence[Pixels],
        aspects: Sequence[float],  # noqa: ARG002 - a photo has that of its pixels
        effort: Effort | None = None,  # noqa: ARG002 - there is one
    ) -> list[Encoded]:
        """Whole streams of uint8 [H, W, 3] each; nothing is measured."""
        return [Encoded(self.stream(picture)) for picture in pictures]

    def stream(self, picture: Pixels, order: str | None = None) -> bytes:
        """The whole stream of uint8 [H, W, 3], told in one of ``ORDERS``."""
        size = Size.of(picture)
        number = self.order if order is None else ORDERS.index(order)
        head = header.pack(self.wire_id, self.version, size, number)
        grid, steps = self.geometry(size, number)
        values, passes = self._quantised(picture, grid, steps)
        room = max(LEAST_PAYLOAD_BYTES, int(self.bits_a_pixel * size.pixels / 8))
        return head + self._written(grid._replace(passes=passes), values, room)

    def _quantised(self, picture: Pixels, grid: Grid, steps: Steps) -> tuple[Ints, Ints]:
        """The integers of a picture, and the passes until it is good enough."""
        values = np.zeros(3 * grid.coefficients, np.int32)

        def analyse(channel: int) -> NDArray[np.float64]:
            return transform.analyse(picture, grid, steps, channel, values[grid.of(channel)])

        gains = np.stack(self._each_channel(analyse))
        return values, grid.passes[: _passes_needed(grid.passes, gains, picture.size)]

    def _written(self, grid: Grid, values: Ints, room_bytes: int) -> bytes:
        out = np.zeros(room_bytes + MARGIN, np.uint8)
        places = 3 * grid.coefficients
        length = bitplane_coder.scan(
            bitplane_coder.WRITE,
            grid,
            *self.statistics(),
            values,
            np.zeros(places, np.int32),
            np.zeros(places, np.int8),
            np.zeros(3 * grid.flags, np.int8),
            np.zeros(bitplane_coder.STATE, np.int64),
            out,
            0,
            _NO_PRICE,
            _NO_COUNTS,
        )
        return out[:length].tobytes()

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """Sixteen prefixes each, at a low-pass resolution (``levels.splits_of``)."""
        return [
            self._measured(picture, stream)
            for picture, stream in zip(pictures, streams, strict=True)
        ]

    def coded_size(self, size: Size) -> Size:
        """That of the picture."""
        return size

    def painted_size(self, size: Size, side: int | None) -> Size:
        """What is decoded is halved as long as that leaves enough."""
        return size if side is None else size.within(2 * side)

    def measured_size(self, size: Size) -> Size:
        """A low-pass resolution of a photo that is larger."""
        splits = levels.splits_of(size)
        height, width = sizes_of(size.height, size.width, splits)[splits]
        return Size(width, height)

    def _measured(self, picture: Pixels, stream: bytes) -> tuple[Level, ...]:
        splits = levels.splits_of(Size.of(picture))
        size, order, _ = header.parse(stream)
        wanted = transform.low_pass(picture, self.geometry(size, order)[1], splits)
        cuts = levels.cuts_of(len(stream), self.minimum_bytes)
        shown = self._painted_cuts(stream, cuts, splits)
        return tuple(levels.level(cut, wanted, p) for cut, p in zip(cuts, shown, strict=True))

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> list[Pixels]:
        """Paint prefixes; with ``size`` the smallest low-pass picture whose long side is that."""
        painted: list[Pixels] = []
        for prefix in prefixes:
            own = self.header(prefix).size
            assert own is not None
            splits = 0 if size is None else _splits_for(own, size)
            painted += self._painted_cuts(prefix, [len(prefix)], splits)
        return painted

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes of ``cuts`` bytes, ascending: uint8 [H, W, 3] each, parsed once."""
        self.header(stream)
        return self._painted_cuts(stream, cuts, 0)

    def parse(self, stream: bytes) -> tuple[Parse, Steps, Size]:
        """Begin to read a stream: nothing of its payload is decided yet. Raises CodecError."""
        size, order, length = header.parse(stream)
        grid, steps = self.geometry(size, order)
        return Parse(grid, *self.statistics(), stream, length), steps, size

    def statistics(self) -> tuple[Models, Fixed]:
        """What a scan begins with: models, which adapt, and what stays."""
        return tables.fresh(self._models), self._fixed

    def _painted_cuts(self, stream: bytes, cuts: Sequence[int], splits: int) -> Iterator[Pixels]:
        parse, steps, size = self.parse(stream)
        for cut in cuts:
            parse.advance(cut)
            yield self.painted(parse, steps, size, splits)

    def painted(self, parse: Parse, steps: Steps, size: Size, splits: int = 0) -> Pixels:
        """What is decided so far, as it is after so many splits: uint8 [H, W, 3]."""
        grid = parse.grid
        most = int(grid.bands[0, LEVEL])
        splits = min(splits, most)
        shape = sizes_of(size.height, size.width, most)[splits]

        def synthesise(channel: int) -> NDArray[np.float32]:
            part = grid.of(channel)
            known, negative = parse.known[part], parse.negative[part]
            return transform.synthesise(known, negative, grid, steps, channel, shape)

        gain = transform.gain_of(size, splits)
        return transform.to_rgb(self._each_channel(synthesise), steps, gain)

    def _each_channel(self, work: Callable[[int], T]) -> list[T]:
        if self._several:
            return list(self._pool.map(work, range(3)))
        return [work(channel) for channel in range(3)]

    def inspect(self, stream: bytes) -> Inspection:
        """The header, the order, and which passes each stretch of the payload tells."""
        head = self.header(stream)
        parse, _, size = self.parse(stream)
        order = header.parse(stream)[1]
        symbols = parse.advance(len(stream))
        chunks = pass_chunks(parse, *self.statistics(), head.length_bytes, len(stream))
        return Inspection.of(
            self,
            head,
            stream,
            chunks,
            complete=parse.complete,
            facts={
                "width": size.width,
                "height": size.height,
                "order": ORDERS[order],
                "symbols": symbols,
                "passes": parse.passes_done,
            },
        )


def _splits_for(size: Size, side: int) -> int:
    """Most splits that leave a long side of at least ``side`` pixels."""
    longest, splits = max(size.width, size.height), 0
    while longest > 1 and (longest + 1) // 2 >= side:
        longest, splits = (longest + 1) // 2, splits + 1
    return splits


def _passes_needed(passes: Ints, gains: NDArray[np.float64], samples: int) -> int:
    """How many passes leave ``GOOD_PSNR``; ``gains`` [3, B, LAST_PLANES + 1, 2]."""
    channel, band, plane, kind = passes.T
    late = plane < transform.LAST_PLANES
    won = np.where(late, gains[channel, band, np.minimum(plane, transform.LAST_PLANES), kind], 0)
    left = gains[:, :, transform.LAST_PLANES, 0].sum() + won[::-1].cumsum()[::-1]
    target = 255**2 / 10 ** (GOOD_PSNR / 10) * samples
    needed = np.flatnonzero(left > target)  # before that pass, so much is left
    return int(needed[-1]) + 1 if len(needed) else 0
