"""Photos of uploads: upright, opaque, sRGB, at most as large as asked; thumbnails as without."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from service.errors import PictureTooLargeError
from service.pictures import FORMATS, Limits, Opener
from tests.support.photos import encoded, free_photos
from tests.support.profiles import swapped_rgb
from tests.support.variants import exif, photo, variants

OPENER = Opener(Limits())


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found.astype(int) - wanted.astype(int)).mean())


@pytest.mark.parametrize("format", FORMATS)
def test_every_kind_of_every_format_is_a_photo_of_its_shape(format: str) -> None:
    for name, upload in variants(format).items():
        plain = OPENER.open(upload)
        assert plain.photo is None
        for side in (40, 400):
            picture = OPENER.open(upload, photo_side=side)
            assert (picture.rgb == plain.rgb).all(), name
            assert picture.photo is not None
            assert picture.photo.dtype == np.uint8
            height, width = picture.photo.shape[:2]
            assert max(width, height) == min(side, max(plain.width, plain.height)), name
            assert abs(width - height * plain.aspect) <= 1, name


def test_a_photo_that_is_small_enough_keeps_its_pixels() -> None:
    crop = photo(200, 120)
    opened = OPENER.open(encoded("png", crop), photo_side=200).photo
    assert opened is not None
    assert (opened == np.asarray(crop)).all()


@pytest.mark.parametrize("value", range(1, 9))
def test_a_photo_is_upright(value: int) -> None:
    crop = photo(200, 120)
    upload = encoded("png", crop, exif=exif(value))
    opened = OPENER.open(upload, photo_side=100).photo
    assert opened is not None
    one = OPENER.open(encoded("png", crop), photo_side=100).photo
    assert one is not None
    turns = {
        1: one,
        2: one[:, ::-1],
        3: one[::-1, ::-1],
        4: one[::-1],
        5: one.swapaxes(0, 1),
        6: one.swapaxes(0, 1)[:, ::-1],
        7: one.swapaxes(0, 1)[::-1, ::-1],
        8: one.swapaxes(0, 1)[::-1],
    }
    assert opened.flags.writeable
    assert opened.shape == turns[value].shape
    assert difference(opened, turns[value]) < 1


def test_a_large_jpeg_is_what_a_whole_decoding_gives_and_its_thumbnail_stays() -> None:
    large = Image.fromarray(np.tile(free_photos()["coffee"], (4, 4, 1)))
    upload = encoded("jpeg", large, quality=95)
    picture = OPENER.open(upload, photo_side=600)
    assert (picture.rgb == OPENER.open(upload).rgb).all()
    assert picture.photo is not None
    height, width = picture.photo.shape[:2]
    wanted = np.asarray(large.resize((width, height), Image.Resampling.LANCZOS))
    assert difference(picture.photo, wanted) < 2


def test_transparency_and_profiles_are_seen_to_in_photos_too() -> None:
    clear = photo(300, 200).convert("RGBA")
    clear.putalpha(0)
    opened = OPENER.open(encoded("png", clear), background=(9, 99, 0), photo_side=150).photo
    assert opened is not None
    assert (opened == (9, 99, 0)).all()
    flat = Image.new("RGB", (300, 200), (200, 40, 10))
    upload = encoded("png", flat, icc_profile=swapped_rgb())
    tagged = OPENER.open(upload, photo_side=300).photo
    assert tagged is not None
    assert np.abs(tagged.astype(int) - OPENER.open(upload).rgb[16, 16]).max() <= 1
    assert tagged[0, 0, 2] > 190


def test_what_a_photo_takes_is_counted_before_it_is_decoded_and_held_until_it_is_released() -> None:
    upload = encoded("png", Image.fromarray(np.tile(free_photos()["coffee"], (3, 3, 1))))
    opener = Opener(Limits(decode_memory_bytes=40 * 2**20))
    opener.open(upload).release()
    with opener.open(upload, photo_side=600) as picture:
        assert picture.photo is not None
        held = 40 * 2**20 - opener.memory.free_bytes
        assert held == picture.photo.nbytes + picture.rgb.nbytes
    assert opener.memory.free_bytes == 40 * 2**20
    with pytest.raises(PictureTooLargeError):
        opener.open(upload, photo_side=4096)
