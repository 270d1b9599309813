"""Streams of version 1 that are kept: they say and paint what they always did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from service.codec.photo.codec import PhotoCodec
from service.codec.registry import load_codec
from service.inference import Runtime
from service.settings import packaged_artifacts

VECTORS = Path(__file__).parents[3] / "vectors" / "photo.1"


@pytest.fixture(scope="module")
def first() -> PhotoCodec:
    codec = load_codec(packaged_artifacts() / "photo.1", Runtime("cpu", 2))
    assert isinstance(codec, PhotoCodec)
    return codec


@pytest.mark.parametrize("number", range(6))
def test_golden_streams_paint_as_they_always_did(first: PhotoCodec, number: int) -> None:
    vector = json.loads((VECTORS / "streams.json").read_text())["streams"][number]
    painted = np.load(VECTORS / "pictures.npz")
    stream = bytes.fromhex(vector["stream"])
    for length in vector["prefixes"]:
        (picture,) = first.decode([stream[:length]])
        expected = painted[f"{vector['name']}-{length}"]
        assert np.abs(picture.astype(int) - expected).max() <= 1
        assert first.inspect(stream[:length]).facts["symbols"] == vector["symbols"][str(length)]
