from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from service.codec.interface import Codec, Encoded, Pixels
from service.errors import ConfigurationError
from service.evaluation.efforts import at_efforts
from tests.support.codec import GreyCodec


class Trying(GreyCodec):
    """At the effort "low" it sees the picture darker."""

    efforts = ("low", "high")

    def encode(
        self, pictures: Pixels, aspects: Sequence[float], effort: str = "high"
    ) -> list[Encoded]:
        return super().encode(pictures // 2 if effort == "low" else pictures, aspects)


def test_each_effort_encodes_in_its_own_way_and_decodes_alike() -> None:
    pictures = np.full((1, 32, 32, 3), 200, np.uint8)
    low, high = at_efforts(Trying(), ["low", "high"])
    assert [low.name, high.name] == ["conv-lstm@low", "conv-lstm@high"]
    for codec, level in ((low, 100), (high, 200)):
        (encoded,) = codec.encode(pictures, [1.0])
        assert (codec.decode([encoded.stream])[0] == level).all()
        assert codec.inspect(encoded.stream).complete
        assert codec.maximum_bytes == Trying.maximum_bytes


def test_a_codec_without_efforts_is_left_as_it_is() -> None:
    plain: Codec = GreyCodec()
    assert at_efforts(plain, ["low"]) == [plain]
    adjustable: Codec = Trying()
    assert at_efforts(adjustable, []) == [adjustable]


def test_an_effort_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no effort 'most'; it has low, high"):
        at_efforts(Trying(), ["most"])
