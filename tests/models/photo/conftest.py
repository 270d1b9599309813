"""The shipped tables, and crops of free photos."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from service.codec.photo import tables
from service.codec.photo.tables import Stored
from service.settings import packaged_artifacts
from tests.support.photos import free_photos

SIDE = 192
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="session")
def pictures() -> list[Pixels]:
    """Crops of 192x192."""
    found = [one for one in free_photos().values() if min(one.shape[:2]) >= SIDE + 40]
    return [np.ascontiguousarray(one[40 : 40 + SIDE, 20 : 20 + SIDE]) for one in found[:5]]


@pytest.fixture(scope="session")
def stored() -> Stored:
    return tables.read(packaged_artifacts() / "photo.1" / "tables.npz")
