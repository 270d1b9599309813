"""Metadata that is odd in any way never makes a whole picture unusable, nor turns it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from service.pictures import Limits, Opener
from tests.support.photos import encoded
from tests.support.tiffs import tiff_file
from tests.support.variants import exif, photo, png_chunk

OPENER = Opener(Limits())
WIDTH, HEIGHT = 48, 40
SAMPLES = np.asarray(photo(WIDTH, HEIGHT).convert("L"))
ROWS = [row.tobytes() for row in SAMPLES]
KINDS = (0, 2, 5, 7, 12, 13, 99, 65_535)
PAINTING = (256, 257, 258, 259, 262, 273, 277, 278, 279)


def is_upright(upload: bytes) -> bool:
    found = OPENER.open(upload)
    return (found.width, found.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("values", [(6, 6), (6, 1, 1), (0,), (9,), (65_535,), (70_000,)])
def test_a_tiff_orientation_that_is_none(order: str, values: tuple[int, ...]) -> None:
    assert is_upright(tiff_file(order, WIDTH, HEIGHT, ROWS, 9, tags={274: values}))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [7, 1, 4])
def test_a_tiff_orientation_of_another_type(order: str, kind: int) -> None:
    found = OPENER.open(tiff_file(order, WIDTH, HEIGHT, ROWS, 9, tags={274: (6,)}, t274=kind))
    turned = (found.width, found.height) == (HEIGHT, WIDTH)
    assert turned == (kind != 7)


def retyped(upload: bytes) -> Iterator[tuple[int, bytes]]:
    """Each tag that does not paint, of every odd type, count and place."""
    (start,) = struct.unpack_from("<I", upload, 4)
    (count,) = struct.unpack_from("<H", upload, start)
    for index in range(count):
        at = start + 2 + 12 * index
        (tag,) = struct.unpack_from("<H", upload, at)
        if tag in PAINTING:
            continue
        for kind in (0, 2, 5, 7, 12, 13, 99, 65_535):
            for values, place in ((1, 0), (0, 0), (2, 2**32 - 1), (2**32 - 1, 8), (5000, 10**6)):
                yield (
                    tag,
                    upload[: at + 2] + struct.pack("<HII", kind, values, place) + upload[at + 12 :],
                )


def test_tiff_tags_that_do_not_paint_may_be_anything() -> None:
    tags = {
        274: (1,), 34675: (1, 2, 3), 34665: (8,), 330: (8,), 700: (1, 2), 33723: (5,), 315: (65,),
        282: (72, 1), 296: (2,), 50341: (1,), 65_000: (1, 2, 3),
    }  # fmt: skip
    upload = tiff_file("<", WIDTH, HEIGHT, ROWS, 9, tags=tags)
    wanted = OPENER.open(upload).rgb
    count = 0
    for tag, odd in retyped(upload):
        assert (OPENER.open(odd).rgb == wanted).all(), tag
        count += 1
    assert count == len(tags) * len(KINDS) * 5


def exifs() -> list[bytes]:
    """Blocks that say nothing, or nonsense, of how to turn."""
    good = exif(6)
    at = (
        good.index(struct.pack("<HH", 0x0112, 3))
        if good[6:8] == b"II"
        else good.index(struct.pack(">HH", 0x0112, 3))
    )
    return [
        b"",
        b"Exif\0\0",
        good[:10],
        good[: at + 3],
        good[:at] + b"\xff" * 12 + good[at + 12 :],
        b"Exif\0\0II*\0" + b"\xff" * 40,
        b"nonsense" * 9,
        good[:at] + good[at : at + 2] + b"\0\7" + good[at + 4 :],
    ]  # fmt: skip


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "heic"])
@pytest.mark.parametrize("number", range(8))
def test_broken_exif(format: str, number: int) -> None:
    block = exifs()[number]
    picture = photo(WIDTH, HEIGHT)
    if format == "jpeg":
        upload = encoded("jpeg", picture)
        length = struct.pack(">H", len(block) + 2)
        upload = upload[:2] + b"\xff\xe1" + length + block + upload[2:]
    elif format == "png":
        upload = encoded("png", picture)
        upload = upload[:33] + png_chunk(b"eXIf", block.removeprefix(b"Exif\0\0")) + upload[33:]
    elif format == "webp":
        upload = encoded("webp", picture, exif=exif(1))
        at = upload.index(b"EXIF")
        upload = upload[:at] + b"EXIF" + struct.pack("<I", len(block)) + block
        upload = upload[:4] + struct.pack("<I", len(upload) - 8) + upload[8:]
    else:
        # over the true one's first bytes, so that nothing else moves
        upload, at = with_maker(format, picture)
        upload = upload[:at] + block.ljust(12, b"\0")[:12] + upload[at + 12 :]
    assert is_upright(upload)


def with_maker(format: str, picture: Image.Image) -> tuple[bytes, int]:
    """An AVIF or HEIC with EXIF, and where that begins."""
    tags = Image.Exif()
    tags[0x010F] = "maker of cameras"
    upload = encoded(format, picture, exif=tags.tobytes())
    starts = [upload.rfind(mark, 0, upload.index(b"maker")) for mark in (b"II*\0", b"MM\0*")]
    return upload, max(starts)


@pytest.mark.parametrize("format", ["avif", "heic"])
@pytest.mark.parametrize("before", [4, 10])
def test_an_exif_item_whose_header_lies_nowhere(format: str, before: int) -> None:
    upload, at = with_maker(format, photo(WIDTH, HEIGHT))
    damaged = upload[: at - before] + b"\xff\xff\xff\xff" + upload[at - before + 4 :]
    assert is_upright(damaged)
    assert (OPENER.open(damaged).rgb == OPENER.open(upload).rgb).all()


def test_png_chunks_with_wrong_checksums_that_do_not_paint() -> None:
    body = encoded("png", photo(WIDTH, HEIGHT))
    wanted = OPENER.open(body).rgb
    for kind, chunk in ((b"PLTE", b"\1\2\3"), (b"tEXt", b"a\0b"), (b"tIME", b"1234567")):
        damaged = bytearray(png_chunk(kind, chunk))
        damaged[-1] ^= 1
        assert (OPENER.open(body[:33] + bytes(damaged) + body[33:]).rgb == wanted).all(), kind


@pytest.mark.parametrize(
    "chunk",
    [b"", b"name", b"name\0", b"name\0\1" + zlib.compress(b"x"), b"name\0\0" + zlib.compress(b"")],
)
def test_png_profiles_that_are_none(chunk: bytes) -> None:
    body = encoded("png", photo(WIDTH, HEIGHT))
    upload = body[:33] + png_chunk(b"iCCP", chunk) + body[33:]
    assert (OPENER.open(upload).rgb == OPENER.open(body).rgb).all()


def test_an_orientation_behind_the_pixels_of_a_png_is_too_late() -> None:
    body = encoded("png", photo(WIDTH, HEIGHT))
    chunk = png_chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0"))
    assert is_upright(body[:-12] + chunk + body[-12:])
    assert not is_upright(body[:33] + chunk + body[33:])


def test_floats_that_are_no_numbers_do_not_set_the_range() -> None:
    samples = np.asarray(photo(WIDTH, HEIGHT).convert("L"), np.float32)
    wanted = OPENER.open(encoded_floats(samples)).rgb.astype(int)
    for place in ((0, 0), (HEIGHT - 1, WIDTH - 1), (9, 9)):
        for odd in (np.nan, np.inf, -np.inf):
            damaged = samples.copy()
            damaged[place] = odd
            found = OPENER.open(encoded_floats(damaged)).rgb.astype(int)
            assert np.abs(found - wanted).mean() < 1.5, (place, odd)
    assert (OPENER.open(encoded_floats(np.full_like(samples, np.nan))).rgb == 0).all()


def encoded_floats(samples: np.ndarray) -> bytes:
    rows = [row.tobytes() for row in samples.astype("<f4")]
    return tiff_file("<", WIDTH, HEIGHT, rows, 9, tags={258: (32,), 339: (3,)})
