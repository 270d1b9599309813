"""What is known of coefficients -> pixels, in closed form or with the synthesis network."""

from __future__ import annotations

import numpy as np

from service.codec.geometry import Size
from service.codec.photo import transform
from service.codec.photo.cells import LEVELS, Split, Tile
from service.codec.photo.known import Known
from service.codec.photo.networks import CellNetwork
from service.codec.photo.order import LEVEL, sizes_of
from service.codec.photo.precision import begins, precision_of, told_of, units_of
from service.codec.photo.threads import Threads
from service.codec.photo.transform import Steps
from service.codec.photo.wavelet import Plane
from service.codec.pixels import Pixels

CORRECTED_SPLITS = 2
"""A lower resolution than that has next to nothing of what the network corrects."""


def painted(
    found: Known,
    steps: Steps,
    size: Size,
    splits: int,
    threads: Threads,
    network: CellNetwork | None,
    within: Tile | None = None,
) -> Pixels:
    """What is decided so far, as it is after so many splits: uint8 [H, W, 3].

    The network corrects all cells, or those ``within``. After more than ``CORRECTED_SPLITS``, or
    where little is known, the picture is the closed form's, with a network too.
    """
    grid = found.grid
    most = int(grid.bands[0, LEVEL])
    splits = min(splits, most)
    shape = sizes_of(size.height, size.width, most)[splits]
    if network is None or splits > CORRECTED_SPLITS or not corrects(network, found):

        def synthesise(channel: int) -> Plane:
            part = grid.of(channel)
            known, negative = found.known[part], found.negative[part]
            return transform.synthesise(known, negative, grid, steps, channel, shape)

        planes = threads.each_channel(synthesise)
    else:
        planes = _corrected(found, steps, size, splits, threads, network, within)
    return transform.to_rgb(planes, steps, transform.gain_of(size, splits))


def corrects(network: CellNetwork, found: Known) -> bool:
    """Whether so much is known that the network is used."""
    return begins(precision_of(found.grid, found.place), found.grid, network.first_plane)


def _corrected(
    found: Known,
    steps: Steps,
    size: Size,
    splits: int,
    threads: Threads,
    network: CellNetwork,
    within: Tile | None,
) -> list[Plane]:
    split = split_of(found, steps, size, threads)
    known = precision_of(found.grid, found.place)
    told = told_of(known, found.grid) if network.told else None
    network.run(split, units_of(known, found.grid, steps), threads, told, within)

    def join(channel: int) -> Plane:
        plane = split.low[channel]
        for level in range(LEVELS, splits, -1):
            plane = transform.joined(plane, split.fine[channel][level - 1])
        return plane

    return threads.each_channel(join)


def split_of(found: Known, steps: Steps, size: Size, threads: Threads) -> Split:
    """What is decided so far, the three finest levels apart."""
    grid = found.grid
    shape = sizes_of(size.height, size.width, LEVELS)[LEVELS]

    def one(channel: int) -> tuple[Plane, list[Plane]]:
        part = grid.of(channel)
        known, negative = found.known[part], found.negative[part]
        low = transform.synthesise(known, negative, grid, steps, channel, shape)
        fine = [
            transform.details(known, negative, grid, steps, channel, level)
            for level in range(1, LEVELS + 1)
        ]
        return np.ascontiguousarray(low), fine

    low, fine = zip(*threads.each_channel(one), strict=True)
    return Split(list(low), list(fine))
