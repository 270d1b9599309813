"""Thumbnails that tests of the training share."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.photos import crops


@pytest.fixture(scope="module")
def thumbnails() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(6, seed=12)])
