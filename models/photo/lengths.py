"""True lengths: integers of coefficients, what the scan charges for each pass, cuts at a rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.photo.coding import Coefficients
from models.photo.states import States
from service.codec.photo.order import BORDER, COLUMNS, OFFSET, ROWS, STRIDE
from service.codec.photo.prices import scan_prices
from service.codec.photo.tables import Stored, fixed_of, models_of


def integers(coefficients: Coefficients, states: States, picture: int) -> NDArray[np.int32]:
    """What the scan is given of one picture of a batch: int32 [3 K], rounded towards zero."""
    grid = states.grid
    values = np.zeros(3 * grid.coefficients, np.int32)
    for number, band in enumerate(grid.bands):
        level, orient = divmod(number - 1, 3)
        for channel in range(3):
            if number:
                part = coefficients.details[states.levels - 1 - level][picture, channel, orient]
            else:
                part = coefficients.low[picture, channel, 0]
            at = channel * grid.coefficients + band[OFFSET]
            place = values[at : at + band[STRIDE] * (band[ROWS] + 2 * BORDER)]
            inside = place.reshape(-1, band[STRIDE])[BORDER:-BORDER, BORDER:-BORDER]
            assert inside.shape == (band[ROWS], band[COLUMNS])
            inside[:] = part.numpy()
    return values


def prices(values: NDArray[np.int32], states: States, stored: Stored) -> NDArray[np.float64]:
    """Bits of each pass, float64 [P]."""
    return scan_prices(states.grid, models_of(stored), fixed_of(stored), values)[:, 0]


def cut_at(bits: NDArray[np.float64], budget: float) -> tuple[int, float]:
    """Whole passes and the share of the next one that so many bits pay for."""
    total = np.cumsum(bits)
    whole = int(np.searchsorted(total, budget, side="right"))
    if whole == len(bits):
        return whole, 0.0
    return whole, float((budget - (total[whole - 1] if whole else 0.0)) / bits[whole])
