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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from service.codec.artifact import Artifact
from service.codec.entropy.range_coder import MARGIN
from service.codec.interface import Pixels
from service.codec.photo import bitplane_coder, header, tables, transform
from service.codec.photo.header import PhotoHeader
from service.codec.photo.order import Grid, Ints, grid_of
from service.codec.photo.parse import Parse
from service.codec.photo.tables import ORDERS
from service.codec.photo.transform import Steps
from service.errors import ArtifactError, CodecError

WORST_PSNR = 42.0
"""dB: a stream ends once its picture is this close, or at ``bits_a_pixel``."""
LEAST_PAYLOAD_BYTES = 512
"""A small picture may take so many, whatever its pixels allow."""
GRIDS = 8
_NO_PRICE = np.zeros((1, 2))
_NO_COUNTS = np.zeros((1, 1, 2), np.int64)


class PhotoCodec:
    """One artifact, loaded. Thread-safe: tables are never written."""

    kind = "photo"
    minimum_bytes = header.LONGEST_BYTES

    def __init__(
        self,
        artifact: Artifact,
        threads: int = 1,
        bits_a_pixel: float = 2.0,
        order: str = ORDERS[0],
    ) -> None:
        """Raises ArtifactError when tables are missing or damaged."""
        manifest = artifact.manifest
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        if manifest.graphs:
            raise ArtifactError(f"{self.name}: version {self.version} has no networks")
        self.artifact, self.bits_a_pixel = artifact, bits_a_pixel
        self.order = ORDERS.index(order)
        self.stored = tables.read(artifact.tables())
        self._fixed, self._models = tables.fixed_of(self.stored), tables.models_of(self.stored)
        self._pool = ThreadPoolExecutor(threads, "prefixel-photo")
        self.geometry = lru_cache(GRIDS)(self._geometry)

    def _geometry(self, height: int, width: int, order: int) -> tuple[Grid, Steps]:
        grid = grid_of(height, width, self.stored.slopes[order], self.stored.usual)
        return grid, transform.steps_of(self.stored, order, grid)

    @property
    def maximum_bytes(self) -> int:
        """Of the longest stream, that of the largest picture."""
        return header.LONGEST_BYTES + self._room(header.PIXELS_LIMIT)

    def _room(self, pixels: int) -> int:
        return max(LEAST_PAYLOAD_BYTES, int(self.bits_a_pixel * pixels / 8))

    def stream(self, picture: Pixels, order: int | None = None) -> bytes:
        """The whole stream of uint8 [H, W, 3]."""
        height, width = picture.shape[:2]
        order = self.order if order is None else order
        head = header.pack(self.wire_id, self.version, width, height, order)
        grid, steps = self.geometry(height, width, order)
        values, passes = self._quantised(picture, grid, steps)
        payload = self._written(grid._replace(passes=passes), values, self._room(height * width))
        return head + payload

    def _quantised(self, picture: Pixels, grid: Grid, steps: Steps) -> tuple[Ints, Ints]:
        """The integers of a picture, and the passes until it is good enough."""
        values = np.zeros(3 * grid.coefficients, np.int32)

        def analyse(channel: int) -> NDArray[np.float64]:
            part = values[channel * grid.coefficients : (channel + 1) * grid.coefficients]
            return transform.analyse(picture, grid, steps, channel, part)

        gains = np.stack(list(self._pool.map(analyse, range(3))))
        return values, grid.passes[: _passes_needed(grid.passes, gains, picture.size)]

    def _written(self, grid: Grid, values: Ints, room_bytes: int) -> bytes:
        out = np.zeros(room_bytes + MARGIN, np.uint8)
        places = 3 * grid.coefficients
        length = bitplane_coder.scan(
            bitplane_coder.WRITE,
            grid,
            tables.fresh(self._models),
            self._fixed,
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

    def parse(self, stream: bytes) -> tuple[PhotoHeader, Steps, Parse]:
        """Begin to read a stream: nothing of its payload is decided yet. Raises CodecError."""
        head = header.parse(stream)
        grid, steps = self.geometry(head.height, head.width, head.order)
        models = tables.fresh(self._models)
        return head, steps, Parse(grid, models, self._fixed, stream[head.length_bytes :])

    def decode_cuts(
        self, stream: bytes, cuts: Sequence[int], size: int | None = None
    ) -> Iterator[Pixels]:
        """Paint prefixes of ``cuts`` bytes, ascending: uint8 [H, W, 3] each, parsed once.

        With ``size`` pictures are the smallest low-pass ones whose long side is at least that.
        Raises CodecError.
        """
        head, steps, parse = self.parse(stream)
        splits = 0
        if size is not None:
            longest = max(head.height, head.width)
            while -(-longest // (2 << splits)) >= size:
                splits += 1
        shape = transform.shape_at(parse.grid, head.height, head.width, splits)
        for cut in cuts:
            parse.advance(cut - head.length_bytes)
            yield self.painted(parse, steps, shape)

    def painted(self, parse: Parse, steps: Steps, shape: tuple[int, int]) -> Pixels:
        """What is decided so far, at a resolution of the wavelet."""
        grid = parse.grid

        def synthesise(channel: int) -> NDArray[np.float32]:
            part = slice(channel * grid.coefficients, (channel + 1) * grid.coefficients)
            known, negative = parse.known[part], parse.negative[part]
            return transform.synthesise(known, negative, grid, steps, channel, shape)

        return transform.to_rgb(list(self._pool.map(synthesise, range(3))), steps)


def _passes_needed(passes: Ints, gains: NDArray[np.float64], samples: int) -> int:
    """How many passes leave ``WORST_PSNR``; ``gains`` [3, B, LAST_PLANES + 1, 2]."""
    channel, band, plane, kind = passes.T
    late = plane < transform.LAST_PLANES
    won = np.where(late, gains[channel, band, np.minimum(plane, transform.LAST_PLANES), kind], 0)
    left = gains[:, :, transform.LAST_PLANES, 0].sum() + won[::-1].cumsum()[::-1]
    target = 255**2 / 10 ** (WORST_PSNR / 10) * samples
    needed = np.flatnonzero(left > target)  # before pass k, so much is left
    return int(needed[-1]) + 1 if len(needed) else 0


__all__ = ["Callable", "CodecError", "PhotoCodec"]
