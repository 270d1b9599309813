"""One policy for all formats: all pixels there, it opens; half of them, it is refused.

Whatever trails or lacks behind the pixels does not matter. What no decoder could tell is named in
UNTELLABLE: data without checksums, cut and filled up to its length with what might be data.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from service.codec.interface import Pixels
from service.errors import BrokenPictureError, PictureError
from service.pictures import FORMATS, Limits, Opener
from tests.support.photos import encoded
from tests.support.variants import heic_tiles, photo, png_chunk, variants

OPENER = Opener(Limits())
NOISE = bytes((index * 89 + 17) % 251 for index in range(4000))
TRAILS = {
    "nothing": b"",
    "zeros": bytes(4000),
    "ones": b"\xff" * 4000,
    "end-of-jpeg": b"\xff\xd9",
    "zeros-and-end-of-jpeg": bytes(2000) + b"\xff\xd9",
    "noise": NOISE,
    "another": encoded("png"),
}
SEVERAL = ("animated", "pages", "sequence", "several")
"""Variants half of which may hold the whole first picture."""

RAW_TIFFS = ("raw", "deep", "float", "big", "metadata", "packbits-palette")
ENDS = {"jpeg": 2, "png": 16, "gif": 2}
"""Format -> bytes behind the last one that paints."""


def untellable(format: str, name: str, trail: str) -> bool:
    """Uncompressed data may be anything; arithmetic codes without checksums may be any noise."""
    if format == "bmp":
        return name != "runs"
    if format == "tiff":
        return name in RAW_TIFFS
    return format in ("webp", "avif", "heic") and trail in ("noise", "another")


def opened(upload: bytes) -> Pixels | None:
    try:
        return OPENER.open(upload).rgb
    except PictureError:
        return None


@pytest.mark.parametrize("format", FORMATS)
def test_what_trails_a_picture_does_not_matter(format: str) -> None:
    for name, upload in variants(format).items():
        wanted = OPENER.open(upload).rgb
        for trail, more in TRAILS.items():
            found = opened(upload + more)
            assert found is not None, (name, trail)
            assert (found == wanted).all(), (name, trail)


@pytest.mark.parametrize("format", FORMATS)
def test_half_a_picture_is_refused_whatever_trails_it(format: str) -> None:
    for name, upload in variants(format).items():
        if name in SEVERAL:
            continue
        for share in (0.5, 0.8):
            for trail, more in TRAILS.items():
                if trail == "nothing" or not untellable(format, name, trail):
                    cut = upload[: int(len(upload) * share)]
                    assert opened(cut + more) is None, (name, share, trail)


@pytest.mark.parametrize("format", ENDS)
def test_an_end_marker_that_lacks_does_not_matter(format: str) -> None:
    for name, upload in variants(format).items():
        if name in SEVERAL:
            continue
        wanted = OPENER.open(upload).rgb
        for lost in range(1, ENDS[format] + 1):
            found = opened(upload[:-lost])
            assert found is not None, (name, lost)
            assert (found == wanted).all(), (name, lost)


def test_a_png_may_end_inside_what_follows_its_pixels() -> None:
    whole = encoded("png")
    upload = whole[:-12] + png_chunk(b"tEXt", b"Comment\0" + b"words " * 40)
    wanted = OPENER.open(whole).rgb
    for end in range(len(whole) - 12, len(upload)):
        assert (OPENER.open(upload[:end]).rgb == wanted).all()


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png_of_many_chunks_is_cut_anywhere(interlaced: bool) -> None:
    whole = encoded("png", photo())
    at = whole.index(b"IDAT") - 4
    data = whole[at + 8 : at + 8 + int.from_bytes(whole[at : at + 4], "big")]
    pieces = [png_chunk(b"IDAT", data[start : start + 997]) for start in range(0, len(data), 997)]
    upload = whole[:at] + b"".join(pieces) + png_chunk(b"IEND", b"")
    wanted = OPENER.open(whole).rgb
    assert (OPENER.open(upload).rgb == wanted).all()
    assert (OPENER.open(upload[: -12 - 4]).rgb == wanted).all()
    for lost in (40, 1500, len(data) // 2):
        assert opened(upload[:-lost]) is None
        assert opened(upload[:-lost] + bytes(lost - 30)) is None


def test_a_webp_may_end_inside_its_metadata() -> None:
    upload = variants("webp")["metadata"]
    exif = upload.index(b"EXIF")
    found = OPENER.open(upload[: exif + 20])
    assert (found.width, found.height) == (96, 64)


@pytest.mark.parametrize("format", ["avif", "heic"])
def test_a_box_behind_the_picture_may_be_cut(format: str) -> None:
    upload = variants(format)["plain"]
    wanted = OPENER.open(upload).rgb
    assert (OPENER.open(upload + b"\0\1\0\0free" + bytes(50)).rgb == wanted).all()


def test_a_jpeg_that_is_grey_in_its_corner_is_whole() -> None:
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    assert (OPENER.open(encoded("jpeg", grey)).rgb == 128).all()
    corner = photo(160, 120)
    corner.paste((128, 128, 128), (120, 90, 160, 120))
    for options in ({}, {"progressive": True}, {"optimize": True}, {"subsampling": 0}):
        assert OPENER.open(encoded("jpeg", corner, **options)).width == 160


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_flat_jpeg_whose_codes_are_all_zeros_is_whole(shade: int) -> None:
    """Optimised tables give a flat block the code 0: data may then end in zeros by right."""
    for side in (256, 264, 272, 280):
        flat = Image.new("L", (side, side), shade)
        upload = encoded("jpeg", flat, optimize=True)
        assert (OPENER.open(upload).rgb == shade).all()


@pytest.mark.parametrize("kept", [1, 3, 5, 7, 9])
def test_a_progressive_jpeg_without_its_last_scans_is_refused(kept: int) -> None:
    upload = encoded("jpeg", progressive=True)
    starts = [at for at in range(len(upload)) if upload[at : at + 2] == b"\xff\xda"]
    assert len(starts) == 10
    # tables may stand between scans: cut where the next one's begin
    end = starts[kept] if kept < len(starts) else len(upload)
    with pytest.raises(BrokenPictureError, match="lacks some of its scans"):
        OPENER.open(upload[:end] + b"\xff\xd9")


def test_tiles_of_a_heic_are_all_needed() -> None:
    upload = heic_tiles(photo(200, 136), 64)
    assert opened(upload[: len(upload) * 3 // 4]) is None
    assert opened(upload[: len(upload) * 3 // 4] + bytes(len(upload))) is None


def test_large_pictures_are_seen_to_be_whole_at_a_small_scale() -> None:
    large = photo(300, 300).resize((1600, 1200))
    upload = encoded("jpeg", large, quality=85)
    wanted = OPENER.open(upload).rgb
    assert (OPENER.open(upload[:-2]).rgb == wanted).all()
    for end in (b"", b"\xff\xd9", bytes(3000), bytes(3000) + b"\xff\xd9"):
        assert opened(upload[: len(upload) * 97 // 100] + end) is None
    assert np.ptp(wanted) > 50
