"""The codec that is measured here, and what it is measured on."""

from __future__ import annotations

import numpy as np
import pytest

from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.registry import load_codec
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import crops


@pytest.fixture(scope="session")
def prefixel() -> EmbeddedCodec:
    codec = load_codec(packaged_artifacts() / "prefixel", Runtime("cpu", 1))
    assert isinstance(codec, EmbeddedCodec)
    return codec


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(6, seed=3)])
