"""The transparent grey or colour of a PNG (tRNS) is clear at every depth, and no other is."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.pictures import Limits, Opener
from tests.support.variants import png, png_chunk

OPENER = Opener(Limits())
SIDE, BACKGROUND = 32, (0, 200, 90)


def packed(samples: np.ndarray, depth: int) -> bytes:
    """Filtered rows of samples [rows, numbers of a row], by turns unfiltered and by differences."""
    rows = []
    for index, row in enumerate(samples):
        if depth == 16:
            body = row.astype(">u2").tobytes()
        elif depth == 8:
            body = row.astype(np.uint8).tobytes()
        else:
            bits = (row[:, None] >> np.arange(depth - 1, -1, -1) & 1).astype(np.uint8)
            body = np.packbits(bits.reshape(-1)).tobytes()
        if index % 2:
            step = max(1, depth * (samples.shape[1] // SIDE) // 8)
            numbers = np.frombuffer(body, np.uint8).astype(int)
            before = np.concatenate((np.zeros(step, int), numbers[:-step]))
            rows.append(b"\1" + (numbers - before).astype(np.uint8).tobytes())
        else:
            rows.append(b"\0" + body)
    return b"".join(rows)


def wanted(levels: np.ndarray, clear: np.ndarray) -> np.ndarray:
    rgb = np.broadcast_to(levels.reshape(SIDE, SIDE, -1), (SIDE, SIDE, 3))
    return np.where(clear[:, :, None], BACKGROUND, rgb)


def found(upload: bytes) -> np.ndarray:
    return OPENER.open(upload, size=SIDE, background=BACKGROUND).rgb.astype(int)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_grey(depth: int, place: int) -> None:
    white = 2**depth - 1
    samples = np.random.default_rng(depth).integers(0, white + 1, (SIDE, SIDE))
    samples[4:9, 4:20] = key = (0, white, white // 2, min(1, white))[place]
    upload = png(
        SIDE, SIDE, depth, 0, packed(samples, depth), png_chunk(b"tRNS", struct.pack(">H", key))
    )
    levels = np.rint(samples * (255 / white))
    assert np.abs(found(upload) - wanted(levels, samples == key)).max() <= 1


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_rgb(depth: int, interlaced: bool) -> None:
    white = 2**depth - 1
    samples = np.random.default_rng(depth).integers(0, white + 1, (SIDE, SIDE, 3))
    key = samples[0, 0].copy()
    samples[4:9, 4:20] = key
    # as the clear one in two channels, and in the upper bytes of all three
    samples[12:14] = key ^ (1, 0, 0)
    samples[15:17] = key ^ (0, 0, 1)
    chunk = png_chunk(b"tRNS", struct.pack(">3H", *key))
    rows = packed(samples.reshape(SIDE, -1), depth)
    upload = png(SIDE, SIDE, depth, 2, rows, chunk)
    if interlaced:
        head = struct.pack(">IIBBBBB", SIDE, SIDE, depth, 2, 0, 0, 1)
        passes = b"".join(
            packed_plain(samples[top::down, left::across], depth)
            for left, top, across, down in ADAM7
        )
        upload = b"".join((
            b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", head), chunk,
            png_chunk(b"IDAT", zlib.compress(passes)), png_chunk(b"IEND", b""),
        ))  # fmt: skip
    levels = samples >> (depth - 8)
    assert np.abs(found(upload) - wanted(levels, (samples == key).all(axis=2))).max() <= 1


ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip


def packed_plain(samples: np.ndarray, depth: int) -> bytes:
    kind = ">u2" if depth == 16 else "u1"
    return b"".join(b"\0" + row.astype(kind).tobytes() for row in samples)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette(depth: int) -> None:
    colours = 2**depth
    random = np.random.default_rng(depth)
    palette = random.integers(0, 256, (colours, 3))
    alpha = random.integers(0, 2, colours) * 255
    indices = random.integers(0, colours, (SIDE, SIDE))
    upload = png(
        SIDE, SIDE, depth, 3, packed(indices, depth),
        png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()),
        png_chunk(b"tRNS", alpha.astype(np.uint8).tobytes()),
    )  # fmt: skip
    assert np.abs(found(upload) - wanted(palette[indices], alpha[indices] == 0)).max() <= 1


def test_bits_over_the_depth_do_not_count() -> None:
    samples = np.tile(np.arange(4), (SIDE, 8))
    upload = png(SIDE, SIDE, 2, 0, packed(samples, 2), png_chunk(b"tRNS", b"\xff\xfe"))
    assert np.abs(found(upload) - wanted(samples * 85, samples == 2)).max() <= 1


@pytest.mark.parametrize("chunk", [b"", b"\0", b"\0\1\0", b"\0\1\0\2\0\3"])
def test_a_chunk_of_another_length_is_ignored(chunk: bytes) -> None:
    samples = np.tile(np.arange(4), (SIDE, 8))
    upload = png(SIDE, SIDE, 2, 0, packed(samples, 2), png_chunk(b"tRNS", chunk))
    assert np.abs(found(upload) - wanted(samples * 85, samples < 0)).max() <= 1


def test_a_chunk_behind_the_pixels_is_too_late() -> None:
    samples = np.full((SIDE, SIDE), 7)
    whole = png(SIDE, SIDE, 8, 0, packed(samples, 8))
    upload = whole[:-12] + png_chunk(b"tRNS", b"\0\7") + whole[-12:]
    assert (found(upload) == 7).all()


def test_the_clear_colour_of_a_large_picture_lends_nothing_to_its_neighbours() -> None:
    samples = np.zeros((640, 640, 3), np.uint8)
    samples[:, 320:] = (255, 0, 0)
    body = BytesIO()
    Image.fromarray(samples).save(body, "PNG", transparency=(255, 0, 0))
    rgb = OPENER.open(body.getvalue(), background=(0, 0, 0)).rgb
    assert rgb.max() == 0
