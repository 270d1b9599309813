"""What is known of coefficients -> pixels, in closed form or with the synthesis network."""

from __future__ import annotations

import numpy as np

from service.codec.geometry import Size
from service.codec.photo import transform
from service.codec.photo.cells import LEVELS, Split, Tile, inside
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
) -> Pixels:
    """What is decided so far, as it is after so many splits: uint8 [H, W, 3].

    After more than ``CORRECTED_SPLITS``, or where little is known, the picture is the closed
    form's, with a network too.
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
        planes = _corrected(found, steps, size, splits, threads, network)
    return transform.to_rgb(planes, steps, transform.gain_of(size, splits))


def corrects(network: CellNetwork, found: Known) -> bool:
    """Whether so much is known that the network is used."""
    return begins(precision_of(found.grid, found.place), found.grid, network.first_plane)


def part_painted(
    found: Known,
    steps: Steps,
    size: Size,
    splits: int,
    threads: Threads,
    network: CellNetwork,
    part: Tile,
) -> Pixels:
    """Some cells of the same, corrected as if there were no others: uint8 [h, w, 3].

    ``part`` begins at multiples of 8 cells and reaches over no edge; ``splits`` are at most
    ``CORRECTED_SPLITS``.
    """
    planes = _corrected(found, steps, size, splits, threads, network, part)
    return transform.to_rgb(planes, steps, transform.gain_of(size, splits))


def _corrected(
    found: Known,
    steps: Steps,
    size: Size,
    splits: int,
    threads: Threads,
    network: CellNetwork,
    part: Tile | None = None,
) -> list[Plane]:
    split = split_of(found, steps, size, threads, part)
    known = precision_of(found.grid, found.place)
    told = told_of(known, found.grid) if network.told else None
    units = units_of(known, found.grid, steps)
    network.run(split, units if part is None else units.within(part), threads, told)

    def join(channel: int) -> Plane:
        plane = split.low[channel]
        for level in range(LEVELS, splits, -1):
            plane = transform.joined(plane, split.fine[channel][level - 1])
        return plane

    return threads.each_channel(join)


def split_of(
    found: Known, steps: Steps, size: Size, threads: Threads, part: Tile | None = None
) -> Split:
    """What is decided so far, the three finest levels apart; of all cells, or a part of them."""
    grid = found.grid
    shape = sizes_of(size.height, size.width, LEVELS)[LEVELS]

    def one(channel: int) -> tuple[Plane, list[Plane]]:
        own = grid.of(channel)
        known, negative = found.known[own], found.negative[own]
        low = transform.synthesise(known, negative, grid, steps, channel, shape)
        fine = [
            transform.details(known, negative, grid, steps, channel, level, inside(level, part))
            for level in range(1, LEVELS + 1)
        ]
        return np.ascontiguousarray(low if part is None else low[part.place]), fine

    low, fine = zip(*threads.each_channel(one), strict=True)
    return Split(list(low), list(fine))
