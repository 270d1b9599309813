"""A batch of uploads and stateless encodings: each gets its own, measured where that was asked."""

from __future__ import annotations

import numpy as np

from service.pictures import Picture
from service.serving.lifespan import encoded
from service.serving.services import ToEncode
from tests.support.codec import GreyCodec
from tests.support.photos import crops


def test_a_mixed_batch_comes_back_in_its_order() -> None:
    rgb = [np.asarray(crop.resize((32, 32))) for crop in crops(5, seed=2)]
    pictures = [Picture(one, 32, 32, "PNG") for one in rgb]
    asked = [True, False, False, True, False]
    jobs = [ToEncode(*pair) for pair in zip(pictures, asked, strict=True)]
    found = encoded(GreyCodec(), jobs)
    alone = [GreyCodec().encode(one[None], [1.0])[0] for one in rgb]
    assert [one.stream for one in found] == [one.stream for one in alone]
    assert [bool(one.levels) for one in found] == asked
