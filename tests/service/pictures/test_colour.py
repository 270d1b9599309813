"""Embedded profiles change the colours as they say; broken or huge ones change nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.pictures import Limits, Opener
from service.pictures.colour import to_srgb
from tests.fuzz.mutate import mutate
from tests.support.photos import encoded
from tests.support.profiles import black_only_cmyk, linear_grey, swapped_rgb
from tests.support.variants import photo, png_chunk, srgb_profile

OPENER = Opener(Limits())
PROFILES = {"RGB": swapped_rgb(), "L": linear_grey(), "CMYK": black_only_cmyk()}
WITH_PROFILES = ("jpeg", "png", "webp", "tiff", "avif", "heic")


def flat(colour: tuple[int, ...] | int, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (40, 40), colour)


def centre(upload: bytes) -> tuple[int, ...]:
    return tuple(int(level) for level in OPENER.open(upload).rgb[16, 16])


@pytest.mark.parametrize("format", WITH_PROFILES)
def test_an_rgb_profile_is_applied(format: str) -> None:
    upload = encoded(format, flat((200, 40, 10)), icc_profile=swapped_rgb())
    red, green, blue = centre(upload)
    assert blue > 190
    assert red < 40
    assert abs(green - 40) < 15


@pytest.mark.parametrize("format", WITH_PROFILES)
def test_the_profile_of_srgb_changes_nothing(format: str) -> None:
    crop = photo()
    with_profile = OPENER.open(encoded(format, crop, icc_profile=srgb_profile())).rgb.astype(int)
    without = OPENER.open(encoded(format, crop)).rgb
    assert np.abs(with_profile - without).max() <= 1


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff"])
def test_a_grey_profile_is_applied(format: str) -> None:
    red, green, blue = centre(encoded(format, flat(55, "L"), icc_profile=linear_grey()))
    assert red == green == blue
    assert abs(red - 128) <= 2  # sRGB's level of 55 / 255 of the light


@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_a_cmyk_profile_is_applied(format: str) -> None:
    red, green, blue = centre(
        encoded(format, flat((0, 0, 0, 128), "CMYK"), icc_profile=black_only_cmyk())
    )
    assert max(red, green, blue) - min(red, green, blue) <= 2
    assert abs(red - 119) <= 4  # sRGB's level of L* 50; the naive conversion says 127


@pytest.mark.parametrize("format", WITH_PROFILES)
@pytest.mark.parametrize("profile", [b"x", swapped_rgb()[:150], b"\0" * 4000, linear_grey()])
def test_a_profile_that_does_not_hold_is_ignored(format: str, profile: bytes) -> None:
    upload = encoded(format, flat((200, 40, 10)), icc_profile=profile)
    assert np.abs(np.subtract(centre(upload), (200, 40, 10))).max() < 12


def test_a_profile_with_alpha_is_applied_to_the_colour_alone() -> None:
    upload = encoded("png", flat((200, 40, 10, 128), "RGBA"), icc_profile=swapped_rgb())
    red, _, blue = OPENER.open(upload, background=(255, 0, 0)).rgb[16, 16]
    assert 127 <= red < 160
    assert 90 <= blue < 110


@pytest.mark.parametrize("format", WITH_PROFILES)
def test_a_profile_over_the_limit_is_ignored(format: str) -> None:
    upload = encoded(format, flat((200, 40, 10)), icc_profile=swapped_rgb() + bytes(3000))
    limited = Opener(Limits(profile_limit_bytes=2000))
    assert limited.open(upload).rgb[16, 16][0] > 190
    assert centre(upload)[2] > 190


@given(seed=st.integers(0, 2**32))
def test_no_damaged_profile_raises(seed: int) -> None:
    for mode, profile in PROFILES.items():
        damaged = mutate([profile], random.Random(seed))
        assert to_srgb(Image.new(mode, (4, 4)), damaged).mode == "RGB"


def test_a_png_profile_that_is_no_deflate_stream_is_ignored() -> None:
    plain = encoded("png", flat((200, 40, 10)))
    upload = plain[:33] + png_chunk(b"iCCP", b"name\0\0nonsense") + plain[33:]
    assert centre(upload) == (200, 40, 10)
