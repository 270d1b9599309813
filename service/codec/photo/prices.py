"""What each pass of a photo costs: the scan run over integers, with nothing written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.interface import Chunk
from service.codec.photo import bitplane_coder
from service.codec.photo.bitplane_coder import STATE, Fixed, Models
from service.codec.photo.order import LEVEL, ORIENT, Grid
from service.codec.photo.parse import Parse

BANDS = ("low-pass", "across", "down", "diagonal")
"""What the orientations of bands are called."""
KINDS = ("significance", "refinement")


def scan_prices(
    grid: Grid,
    models: Models,
    fixed: Fixed,
    values: NDArray[np.int32],
    mode: int = bitplane_coder.PRICE,
    counts: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Bits and symbols of each pass, float64 [P, 2]; ``models`` adapt."""
    price = np.zeros((len(grid.passes), 2))
    bitplane_coder.scan(
        mode,
        grid,
        models,
        fixed,
        values,
        np.zeros(3 * grid.coefficients, np.int32),
        np.zeros(3 * grid.coefficients, np.int8),
        np.zeros(3 * grid.flags, np.int8),
        np.zeros(STATE, np.int64),
        np.zeros(1, np.uint8),
        0,
        price,
        np.zeros((1, 1, 2), np.int64) if counts is None else counts,
    )
    return price


def pass_bits(parse: Parse, models: Models, fixed: Fixed) -> NDArray[np.float64]:
    """What each pass that is decided whole is worth, in bits; ``models`` adapt."""
    grid = parse.grid._replace(passes=parse.grid.passes[: parse.passes_done])
    values = np.where(parse.negative > 0, -(parse.known >> 1), parse.known >> 1).astype(np.int32)
    return scan_prices(grid, models, fixed, values)[:, 0]


def pass_chunks(
    parse: Parse, models: Models, fixed: Fixed, header_bytes: int, total_bytes: int
) -> list[Chunk]:
    """Where the payload tells which pass: those that are decided whole, then one for the rest.

    Offsets are of ideal lengths, to a byte: passes share bytes.
    """
    done, grid = parse.passes_done, parse.grid
    bits = pass_bits(parse, models, fixed)
    ends = np.minimum(header_bytes + np.rint(bits.cumsum() / 8).astype(int), total_bytes)
    chunks, at = [], header_bytes
    for (channel, band, plane, kind), end in zip(
        grid.passes[:done].tolist(), ends.tolist(), strict=True
    ):
        level, orient = grid.bands[band, LEVEL], grid.bands[band, ORIENT]
        label = f"colour {channel}, level {level} {BANDS[orient]}, plane {plane}, {KINDS[kind]}"
        chunks.append(Chunk(label, at, end - at))
        at = end
    return [*chunks, Chunk("a pass that goes on", at, total_bytes - at)]
