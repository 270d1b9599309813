"""First frames that do not cover their canvas are clear around; crops are applied."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.errors import BrokenPictureError, PictureTooLargeError
from service.pictures import Limits, Opener
from tests.support.heif_properties import clap, turned, with_properties
from tests.support.photos import encoded
from tests.support.variants import photo, variants, with_alpha

OPENER = Opener(Limits())
BACKGROUND = (10, 200, 90)
SIZE, PLACE, FRAME = (160, 160), (40, 20), (96, 64)


def on_canvas(
    frame: Image.Image, size: tuple[int, int] = SIZE, place: tuple[int, int] = PLACE
) -> np.ndarray:
    canvas = Image.new("RGB", size, BACKGROUND)
    canvas.paste(frame.convert("RGB"), place, frame if frame.mode == "RGBA" else None)
    return np.asarray(canvas, int)


def off(upload: bytes, wanted: np.ndarray) -> float:
    """Mean difference in levels of a square upload."""
    found = OPENER.open(upload, size=len(wanted), background=BACKGROUND)
    assert (found.width, found.height) == wanted.shape[1::-1]
    return float(np.abs(found.rgb.astype(int) - wanted).mean())


def gif(
    picture: Image.Image,
    screen: tuple[int, int],
    place: tuple[int, int],
    clear: int | None = None,
    background: int = 0,
) -> bytes:
    """One frame at a place on a screen; Pillow writes a frame as large as its screen."""
    options = {} if clear is None else {"transparency": clear}
    body = bytearray(encoded("gif", picture, **options))
    body[6:10] = struct.pack("<HH", *screen)
    body[11] = background
    at = 13 + 3 * 2 ** ((body[10] & 7) + 1)
    while body[at] == 0x21:
        at += 2
        while body[at]:
            at += 1 + body[at]
        at += 1
    body[at + 1 : at + 5] = struct.pack("<HH", *place)
    return bytes(body)


@pytest.mark.parametrize("background", [0, 7])
def test_a_gif_is_clear_around_its_first_frame(background: int) -> None:
    frame = photo(*FRAME).quantize(64)
    assert off(gif(frame, SIZE, PLACE, background=background), on_canvas(frame)) < 0.01


def test_a_grey_gif_is_clear_around_its_first_frame() -> None:
    frame = photo(*FRAME).convert("L")
    assert off(gif(frame, SIZE, PLACE), on_canvas(frame)) < 0.01


def test_a_gif_is_clear_around_and_inside_its_first_frame() -> None:
    frame = photo(*FRAME).quantize(64)
    inside = np.asarray(frame) != 5
    whole = frame.convert("RGB")
    whole.putalpha(Image.fromarray((inside * 255).astype(np.uint8)))
    assert off(gif(frame, SIZE, PLACE, clear=5), on_canvas(whole)) < 0.01


@pytest.mark.parametrize("screen", [(0, 0), (0, 96), (96, 0), (96, 96), (50, 60)])
def test_a_gif_of_an_odd_screen_is_as_large_as_its_frame(screen: tuple[int, int]) -> None:
    frame = photo(96, 96).quantize(64)
    assert off(gif(frame, screen, (0, 0)), np.asarray(frame.convert("RGB"), int)) < 0.01


def test_a_gif_screen_over_the_limit_is_refused_though_its_frame_is_small() -> None:
    frame = photo(*FRAME).quantize(64)
    with pytest.raises(PictureTooLargeError):
        OPENER.open(gif(frame, (60_000, 60_000), PLACE))
    with pytest.raises(PictureTooLargeError):
        OPENER.open(gif(frame, (0, 0), (60_000, 60_000)))


def test_a_large_gif_is_placed_band_by_band() -> None:
    frame = photo(300, 200).quantize(64)
    size, place = (1500, 1500), (1100, 1270)
    upload = gif(frame, size, place)
    wanted = Image.fromarray(on_canvas(frame, size, place).astype(np.uint8))
    small = np.asarray(wanted.resize((64, 64), Image.Resampling.LANCZOS), int)
    found = OPENER.open(upload, size=64, background=BACKGROUND)
    assert np.abs(found.rgb.astype(int) - small).mean() < 1


def animated_webp(frame: Image.Image, flags: int, **options: object) -> bytes:
    """An animation of one frame at PLACE on a canvas of SIZE."""
    still = BytesIO()
    frame.save(still, "WEBP", **options)
    chunks = still.getvalue()[12:]
    if chunks[:4] == b"VP8X":
        chunks = chunks[18:]
    sides = [side - 1 for side in FRAME]
    head = b"".join(
        number.to_bytes(3, "little") for number in (PLACE[0] // 2, PLACE[1] // 2, *sides, 100)
    )
    body = head + b"\0" + chunks
    canvas = b"".join((side - 1).to_bytes(3, "little") for side in SIZE)
    parts = b"".join((
        b"VP8X" + struct.pack("<I", 10) + bytes((flags, 0, 0, 0)) + canvas,
        b"ANIM" + struct.pack("<I", 6) + b"\x10\x20\x30\xff\0\0",
        b"ANMF" + struct.pack("<I", len(body)) + body,
    ))  # fmt: skip
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts


@pytest.mark.parametrize("flags", [0x02, 0x12])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_webp_is_clear_around_its_first_frame(
    flags: int, lossless: bool, has_alpha: bool
) -> None:
    frame = with_alpha(photo(*FRAME)) if has_alpha else photo(*FRAME)
    upload = animated_webp(frame, flags, lossless=lossless, quality=95, exact=True)
    assert off(upload, on_canvas(frame)) < (0.2 if lossless else 1.5)


def test_a_webp_frame_over_its_canvas_is_refused() -> None:
    body = bytearray(animated_webp(photo(*FRAME), 2))
    at = body.index(b"ANMF") + 8
    body[at : at + 3] = (50).to_bytes(3, "little")
    with pytest.raises(BrokenPictureError, match="over its canvas"):
        OPENER.open(bytes(body))


WINDOWS = [(0, 0, 64, 64), (32, 0, 64, 64), (10, 6, 40, 40), (16, 16, 32, 32)]


@pytest.mark.parametrize("format", ["avif", "heic"])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_clean_aperture_crops(format: str, window: tuple[int, int, int, int]) -> None:
    picture = photo(96, 64)
    upload = with_properties(encoded(format, picture, quality=95), clap((96, 64), window))
    left, top, width, height = window
    wanted = np.asarray(picture.crop((left, top, left + width, top + height)), int)
    assert off(upload, wanted) < 4


@pytest.mark.parametrize("format", ["avif", "heic"])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_crop_comes_before_a_turn(format: str, quarters: int) -> None:
    picture, window = photo(96, 64), (32, 4, 48, 40)
    upload = with_properties(
        encoded(format, picture, quality=95), clap((96, 64), window), turned(quarters)
    )
    cropped = picture.crop((32, 4, 80, 44)).rotate(90 * quarters, expand=True)
    found = OPENER.open(upload)
    assert (found.width, found.height) == cropped.size
    wanted = np.asarray(cropped.resize((32, 32), Image.Resampling.LANCZOS), int)
    assert np.abs(found.rgb.astype(int) - wanted).mean() < 4


@pytest.mark.parametrize(
    "box",
    [
        clap((96, 64), (50, 0, 64, 64)),
        clap((96, 64), (-10, 0, 64, 64)),
        clap((96, 64), (0, 0, 64, 64), denominator=0),
        clap((96, 64), (0, 0, 64, 64), denominator=-1),
        clap((96, 64), (0, 0, 0, 64)),
        clap((96, 64), (0, 0, 960, 640)),
    ],
)
def test_a_crop_that_makes_no_sense_is_ignored(box: bytes) -> None:
    found = OPENER.open(with_properties(encoded("avif"), box))
    assert (found.width, found.height) == (96, 64)
    assert np.abs(found.rgb.astype(int) - OPENER.open(encoded("avif")).rgb).max() == 0


def test_pixels_are_counted_before_the_crop() -> None:
    upload = with_properties(encoded("avif"), clap((96, 64), (0, 0, 8, 8)))
    with pytest.raises(PictureTooLargeError):
        Opener(Limits(pixel_limit=96 * 64 - 1)).open(upload)
    assert Opener(Limits(pixel_limit=96 * 64)).open(upload).width == 8


def test_animations_that_cover_their_canvas_are_as_before() -> None:
    for format in ("gif", "webp"):
        found = OPENER.open(variants(format)["animated"], background=BACKGROUND)
        wanted = OPENER.open(encoded("png", photo(seed=0)), background=BACKGROUND)
        assert np.abs(found.rgb.astype(int) - wanted.rgb).mean() < 6
