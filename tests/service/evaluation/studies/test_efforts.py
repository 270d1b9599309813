from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from service.codec.interface import Codec, Effort
from service.errors import ConfigurationError
from service.evaluation.studies import efforts
from service.evaluation.studies.efforts import load_at_efforts
from service.inference import Runtime
from tests.support.codec import GreyCodec


class Trying(GreyCodec):
    """At the effort "high" it sees the picture darker; as any other codec, it is not frozen."""

    __setattr__ = object.__setattr__

    def encode(self, pictures, aspects, effort=None):
        dark = (effort or self.effort) == "high"
        return super().encode([one // 2 if dark else one for one in pictures], aspects)


def load_newest(
    folder: Path, names: Sequence[str], runtime: Runtime, effort: Effort = "default"
) -> dict[str, Codec]:
    trying = Trying(name="trying", efforts=("default", "high"), effort=effort)
    return {"trying": trying, "plain": GreyCodec(name="plain")}


def load(monkeypatch: pytest.MonkeyPatch, wanted: list[str]) -> list[tuple[str, Codec]]:
    monkeypatch.setattr(efforts, "load_newest", load_newest)
    return load_at_efforts(Path(), (), Runtime("cpu"), wanted)


def test_a_codec_that_has_efforts_comes_once_for_each_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = load(monkeypatch, ["default", "high"])
    assert [name for name, _ in found] == ["trying", "trying", "plain"]
    assert [codec.name for _, codec in found] == ["trying@default", "trying@high", "plain"]
    pictures = np.full((1, 32, 32, 3), 200, np.uint8)
    for (_, codec), level in zip(found, (200, 100, 200), strict=True):
        stream = codec.encode(pictures, [1.0])[0].stream
        assert (codec.decode([stream])[0] == level).all()
        assert codec.inspect(stream).complete
        assert codec.maximum_bytes == GreyCodec.maximum_bytes


def test_without_efforts_codecs_are_as_they_are_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [codec.name for _, codec in load(monkeypatch, [])] == ["trying", "plain"]


def test_an_effort_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"one of default, high.*, not most"):
        load(monkeypatch, ["most"])
