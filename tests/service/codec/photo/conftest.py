"""The shipped codec of photos, loaded once, and photos of odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from service.codec.photo.codec import PhotoCodec
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import free_photos


@pytest.fixture(scope="session")
def photo() -> PhotoCodec:
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 2))["photo"]
    assert isinstance(codec, PhotoCodec)
    return codec


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    """Crops of free photos, none of whose sides is even, round or square."""
    photos = list(free_photos().values())
    return [
        np.ascontiguousarray(one[: 191 + 10 * n, : 243 - 8 * n])
        for n, one in enumerate(photos)
        if one.shape[0] > 270
    ][:5]


@pytest.fixture(scope="session")
def streams(photo: PhotoCodec, pictures) -> list[bytes]:
    return [photo.stream(picture) for picture in pictures]
