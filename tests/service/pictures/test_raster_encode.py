"""Rasters out: the right format and size, the right pixels, and no metadata."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.errors import ParameterError
from service.pictures import OUTPUTS, paint, sniff
from service.pictures.raster_encode import box
from tests.support.photos import crops

THUMB = np.asarray(crops(1, 3)[0].resize((32, 32)))


@pytest.mark.parametrize("format", OUTPUTS)
def test_as_it_is_without_a_size(format: str) -> None:
    body = paint(THUMB, format)
    assert sniff(body) == {"jpg": "jpeg"}.get(format, format)
    painted = np.asarray(Image.open(BytesIO(body)).convert("RGB")).astype(int)
    assert painted.shape == (32, 32, 3)
    assert abs(painted - THUMB).mean() < 6


def test_png_is_lossless() -> None:
    assert (np.asarray(Image.open(BytesIO(paint(THUMB, "png")))) == THUMB).all()


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        (512, None, (512, 512)),
        (512, 1.5, (512, 341)),
        (300, 0.5, (150, 300)),
        (1, 1.0, (1, 1)),
        (16, 1000.0, (16, 1)),
    ],
)
def test_the_longest_side_is_the_size(
    size: int, aspect: float | None, expected: tuple[int, int]
) -> None:
    assert Image.open(BytesIO(paint(THUMB, "png", size=size, aspect=aspect))).size == expected


def test_scales_up_as_lanczos_does() -> None:
    painted = Image.open(BytesIO(paint(THUMB, "png", size=128)))
    wanted = Image.fromarray(THUMB).resize((128, 128), Image.Resampling.LANCZOS)
    assert (np.asarray(painted) == np.asarray(wanted)).all()


@pytest.mark.parametrize("size", [0, -1, 513])
def test_a_size_outside_its_range_names_the_range(size: int) -> None:
    with pytest.raises(ParameterError) as caught:
        paint(THUMB, "png", size=size)
    assert caught.value.members == {"parameter": "size", "allowed": "1..512"}


def test_a_format_that_there_is_not_is_a_400() -> None:
    with pytest.raises(ParameterError):
        paint(THUMB, "tiff")  # type: ignore[arg-type]


@pytest.mark.parametrize("format", OUTPUTS)
def test_carries_no_metadata(format: str) -> None:
    with Image.open(BytesIO(paint(THUMB, format, size=64))) as picture:
        assert not {"exif", "icc_profile", "xmp", "comment"} & picture.info.keys()
        assert not picture.getexif()


@given(st.integers(1, 512), st.floats(1e-3, 1e3))
def test_the_box_is_inside_its_size_and_near_its_shape(size: int, aspect: float) -> None:
    width, height = box(size, aspect)
    assert max(width, height) == size
    assert min(width, height) >= 1
    short = min(width, height)
    assert abs(short - max(1.0, size * min(aspect, 1 / aspect))) <= 0.5 + 1e-6
