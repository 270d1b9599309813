"""Streams that are kept, of each version: they say and paint what they always did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from service.codec.photo.codec import PhotoCodec
from service.codec.registry import folders, load_codec
from service.inference import Runtime
from service.settings import packaged_artifacts

VECTORS = Path(__file__).parents[3] / "vectors"


@pytest.mark.parametrize("folder", folders(packaged_artifacts())["photo"], ids=lambda f: f.name)
def test_golden_streams_paint_as_they_always_did(folder: Path) -> None:
    codec = load_codec(folder, Runtime("cpu", 2))
    assert isinstance(codec, PhotoCodec)
    vectors = json.loads((VECTORS / folder.name / "streams.json").read_text())["streams"]
    painted = np.load(VECTORS / folder.name / "pictures.npz")
    with_networks = 0
    for vector in vectors:
        stream = bytes.fromhex(vector["stream"])
        for length in vector["prefixes"]:
            (picture,) = codec.decode([stream[:length]])
            expected = painted[f"{vector['name']}-{length}"]
            assert np.abs(picture.astype(int) - expected).max() <= 1, vector["name"]
            facts = codec.inspect(stream[:length]).facts
            assert facts["symbols"] == vector["symbols"][str(length)]
        with_networks += bool(facts.get("networks"))
    assert len(vectors) >= 6
    assert (with_networks > 0) == codec.has_networks
