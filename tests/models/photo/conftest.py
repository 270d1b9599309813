"""Tables of a few crops, counted once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.photo import learning
from service.codec.photo.tables import ORDERS, Stored
from tests.support.photos import free_photos

SIDE = 192
PSNR = ORDERS.index("psnr")
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="session")
def pictures() -> list[Pixels]:
    """Crops of 192x192."""
    found = [one for one in free_photos().values() if min(one.shape[:2]) >= SIDE + 40]
    return [np.ascontiguousarray(one[40 : 40 + SIDE, 20 : 20 + SIDE]) for one in found[:5]]


@pytest.fixture(scope="session")
def stored(pictures: list[Pixels]) -> Stored:
    """Colours, usual sizes and probabilities counted; passes go plane by plane."""
    tiles = pictures[:3]
    made = learning.start(tiles)
    made = replace(made, usual=learning.usual_of(learning.quantised(made, PSNR, tiles)))
    return learning.learned(made, learning.quantised(made, PSNR, tiles), 1)
