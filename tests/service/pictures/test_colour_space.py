"""Colours told by code points or by numbers come out as their profile would make them.

The oracle is numpy: decode, a matrix by way of XYZ, encode; nothing of it is shared.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.pictures import Limits, Opener
from service.pictures.colour_space import PRIMARIES, TRANSFERS, coded_colour, measured_colour
from tests.support.photos import encoded
from tests.support.profiles import swapped_rgb
from tests.support.variants import photo, png_chunk

OPENER = Opener(Limits())
Array = NDArray[np.float64]
Primaries = tuple[tuple[float, float], ...]
D65 = (0.3127, 0.329)
SRGB, P3 = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06)), ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
REC2020 = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
SIDE = 48


def matrix(primaries: Primaries) -> Array:
    """Linear RGB under D65 -> XYZ."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = D65
    return columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))


def linear(codes: Array) -> Array:
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def coded(light: Array) -> Array:
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def seen(codes: NDArray[np.uint8], primaries: Primaries, gamma: float) -> Array:
    """What sRGB shows of codes under D65; a gamma of 0 is sRGB's curve."""
    light = (codes / 255) ** gamma if gamma else linear(codes / 255)
    return coded(light @ (np.linalg.inv(matrix(SRGB)) @ matrix(primaries)).T) * 255


def square() -> NDArray[np.uint8]:
    return np.asarray(photo(SIDE, SIDE))


def png_with(*chunks: bytes, picture: Image.Image | None = None) -> bytes:
    body = encoded("png", picture or photo(SIDE, SIDE))
    return body[:33] + b"".join(chunks) + body[33:]


def cicp(primaries: int, transfer: int, full: int = 1, matrix_code: int = 0) -> bytes:
    return png_chunk(b"cICP", bytes((primaries, transfer, matrix_code, full)))


def gama(value: float) -> bytes:
    return png_chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chrm(primaries: Primaries, white: tuple[float, float] = D65) -> bytes:
    numbers = [round(number * 100_000) for point in (white, *primaries) for number in point]
    return png_chunk(b"cHRM", struct.pack(">8I", *numbers))


def nclx(format: str, primaries: int, transfer: int, picture: Image.Image) -> bytes:
    """An upload whose nclx says other colours than the encoder wrote."""
    options = {"subsampling": "4:4:4"} if format == "avif" else {"chroma": 444}
    upload = encoded(format, picture, quality=100, **options)
    at = upload.index(b"nclx") + 4
    return upload[:at] + struct.pack(">HH", primaries, transfer) + upload[at + 4 :]


def off(upload: bytes, wanted: Array) -> float:
    found = OPENER.open(upload, size=SIDE).rgb
    return float(np.abs(found - wanted).mean())


@pytest.mark.parametrize(
    ("codes", "primaries", "gamma"),
    [
        ((12, 13), P3, 0),
        ((9, 13), REC2020, 0),
        ((12, 1), P3, 0),
        ((9, 14), REC2020, 0),
        ((1, 8), SRGB, 1.0),
        ((1, 4), SRGB, 2.2),
        ((12, 8), P3, 1.0),
        ((1, 13), SRGB, 0),
        ((2, 2), SRGB, 0),
        ((200, 200), SRGB, 0),
    ],
)
def test_code_points(codes: tuple[int, int], primaries: tuple, gamma: float) -> None:
    picture = photo(SIDE, SIDE)
    wanted = seen(square(), primaries, gamma)
    assert off(png_with(cicp(*codes)), wanted) < 0.7
    if max(codes) < 200:
        for format in ("avif", "heic"):
            assert off(nclx(format, *codes, picture), wanted) < (3 if gamma == 1 else 2), format


def test_gamma_and_primaries_of_a_png() -> None:
    assert off(png_with(gama(1)), seen(square(), SRGB, 1)) < 0.7
    assert off(png_with(gama(1 / 1.8)), seen(square(), SRGB, 1.8)) < 0.7
    assert off(png_with(gama(0.45455), chrm(P3)), seen(square(), P3, 0)) < 0.7
    assert off(png_with(chrm(REC2020), gama(1)), seen(square(), REC2020, 1)) < 0.7


@pytest.mark.parametrize(
    "chunks",
    [
        (gama(0.45455),),
        (gama(0.45),),
        (gama(0),),
        (gama(20_000),),
        (png_chunk(b"gAMA", b"\0\0"),),
        (chrm(P3),),
        (gama(1), png_chunk(b"sRGB", b"\0")),
        (gama(0.45455), chrm(SRGB)),
        (gama(0.45455), chrm(((0.5, 0.5), (0.5, 0.5), (0.5, 0.5)))),
        (gama(0.45455), chrm(SRGB, white=(0, 0))),
        (gama(0.45455), chrm(((0, 0), (0, 0), (0, 0)), white=(0.3, 0.3))),
        (gama(0.45455), png_chunk(b"cHRM", b"\xff" * 32)),
        (cicp(12, 13, matrix_code=9),),
        (png_chunk(b"cICP", b"\x0c\x0d"),),
    ],
)
def test_what_says_srgb_or_makes_no_sense_changes_nothing(chunks: tuple[bytes, ...]) -> None:
    assert off(png_with(*chunks), square().astype(float)) == 0


def test_colour_chunks_behind_the_pixels_are_too_late() -> None:
    body = encoded("png", photo(SIDE, SIDE))
    for chunk in (gama(1), cicp(12, 13)):
        assert off(body[:-12] + chunk + body[-12:], square().astype(float)) == 0


def test_code_points_go_before_a_profile_and_a_profile_before_gamma() -> None:
    import zlib

    profile = png_chunk(b"iCCP", b"name\0\0" + zlib.compress(swapped_rgb()))
    alone = OPENER.open(png_with(profile), size=SIDE).rgb
    assert (OPENER.open(png_with(profile, gama(1)), size=SIDE).rgb == alone).all()
    assert off(png_with(profile, cicp(12, 13)), seen(square(), P3, 0)) < 0.7
    assert off(png_with(profile, cicp(1, 13)), square().astype(float)) == 0


def test_grey_has_a_gamma_too() -> None:
    grey = photo(SIDE, SIDE).convert("L")
    wanted = coded(np.asarray(grey)[:, :, None].repeat(3, axis=2) / 255) * 255
    assert off(png_with(gama(1), picture=grey), wanted) < 0.7
    assert off(png_with(cicp(9, 8), picture=grey), wanted) < 0.7


def test_alpha_is_not_converted() -> None:
    clear = photo(SIDE, SIDE)
    clear.putalpha(128)
    wanted = seen(square(), SRGB, 1) * (128 / 255) + 255 * (127 / 255)
    assert off(png_with(gama(1), picture=clear), wanted) < 1


def test_narrow_codes_are_spread() -> None:
    narrow = np.rint(square() * (219 / 255) + 16).astype(np.uint8)
    upload = png_with(cicp(1, 13, full=0), picture=Image.fromarray(narrow))
    assert off(upload, square().astype(float)) < 0.7


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_tone_mapped(transfer: int) -> None:
    """Dark and middle greys keep their light, whites of pages come near white, nothing folds."""
    ramp = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 256, 3))
    upload = encoded("png", Image.fromarray(ramp))
    upload = upload[:33] + cicp(9, transfer) + upload[33:]
    found = OPENER.open(upload, size=256).rgb[:, 128].astype(int)
    assert (np.diff(found, axis=0) >= 0).all()
    assert np.ptp(found, axis=1).max() <= 2
    level = found[:, 1]
    codes = np.arange(256) / 255
    if transfer == 16:
        root = codes ** (1 / 78.84375)
        nits = 1e4 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
            1 / 0.1593017578125
        )
    else:
        scene = np.where(
            codes <= 0.5,
            codes**2 / 3,
            (np.exp((codes - 0.55991073) / 0.17883277) + 0.28466892) / 12,
        )
        nits = 1000 * scene**1.2
    dark = nits < 90
    assert np.abs(level - coded(nits / 203) * 255)[dark].max() <= 2
    assert 220 <= level[np.searchsorted(nits, 203)] <= 240
    assert level[nits >= 999].min() >= 253


def test_colours_of_an_avif_without_nclx_are_those_of_its_bitstream() -> None:
    upload = encoded("avif", photo(SIDE, SIDE), quality=100, subsampling="4:4:4")
    at = upload.index(b"colrnclx")
    hidden = upload[:at] + b"free" + upload[at + 4 :]
    assert off(hidden, square().astype(float)) < 2
    from service.pictures.probe import av1
    from service.pictures.probe.boxes import boxes

    media = next(box for box in boxes(upload, 0, len(upload)) if box.kind == b"mdat")
    assert av1.colour_codes(upload[media.start : media.end]) == (1, 13)


@pytest.mark.parametrize("primaries", [*PRIMARIES, 0, 2, 255])
@pytest.mark.parametrize("transfer", [*TRANSFERS, 0, 1, 13, 255])
def test_every_code_makes_a_profile_that_keeps_white_and_black(
    primaries: int, transfer: int
) -> None:
    from service.pictures.colour import to_srgb

    space = coded_colour(primaries, transfer)
    ends = Image.fromarray(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    found = np.asarray(to_srgb(ends, space.profile(is_grey=False) if space else b"")).astype(int)
    assert found[0, 0].max() <= 12  # logarithms begin above black
    assert found[0, 1].min() >= 253


def test_no_numbers_raise() -> None:
    random = np.random.default_rng(1)
    for _ in range(300):
        points = tuple(random.uniform(-0.1, 1.2, 8) * random.integers(0, 2, 8))
        space = measured_colour(float(random.uniform(-1, 3)), points)
        if space:
            assert len(space.profile(is_grey=False)) > 128
