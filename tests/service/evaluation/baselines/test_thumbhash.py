"""ThumbHash paints what its author's decoder paints."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from service.evaluation.baselines.thumbhash import decode, encode
from tests.support.photos import crops

pytest.importorskip("thumbhash")

PUBLISHED = base64.b64decode("1QcSHQRnh493V4dIh4eXh1h4kJUI")
"""The example of the format's own page; its pixels are those of an independent decoder."""


def test_the_published_hash_is_painted_as_it_should():
    picture = decode(PUBLISHED)
    assert picture.shape == (32, 23, 3)
    assert picture[0, 0].tolist() == [64, 78, 113]
    assert picture[-1, -1].tolist() == [0, 4, 40]
    assert picture.mean((0, 1)) == pytest.approx([86.8111, 81.6318, 87.7024], abs=1e-3)


def test_a_photo_comes_back_in_its_colours_and_its_shape():
    for crop in crops(8, seed=2, size_range=(64, 64)):
        rgb = np.asarray(crop)
        painted = decode(encode(rgb))
        assert painted.shape == (32, 32, 3)
        assert np.abs(painted.mean((0, 1)) - rgb.mean((0, 1))).max() < 12


def test_alpha_is_refused():
    with pytest.raises(ValueError, match="alpha"):
        decode(bytes((0, 0, 0x80)) + bytes(20))
