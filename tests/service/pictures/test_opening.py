"""Uploads of every format and mode come out as the picture that a person would see."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.codec.interface import Pixels
from service.errors import (
    BrokenPictureError,
    PictureError,
    PictureTooLargeError,
    UnsupportedPictureError,
)
from service.pictures import FORMATS, Limits, Opener, opening
from tests.support.photos import crops, encoded, free_photos
from tests.support.variants import exif, photo, png, png_chunk, variants, with_alpha

OPENER = Opener(Limits())
ORIENTED = ("jpeg", "png", "webp", "tiff", "avif", "heic")


def squashed(picture: Image.Image, size: int = 32) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS), int)


def difference(found: Pixels, wanted: np.ndarray) -> float:
    """Mean difference in levels."""
    return float(np.abs(found.astype(int) - wanted).mean())


@pytest.mark.parametrize("format", FORMATS)
def test_every_kind_of_every_format_opens(format: str) -> None:
    for name, upload in variants(format).items():
        picture = OPENER.open(upload)
        assert picture.format == format, name
        assert picture.rgb.shape == (32, 32, 3), name
        assert picture.rgb.dtype == np.uint8, name
        turned = {(96, 64), (64, 96)} if name != "tiles" else {(200, 136)}
        assert (picture.width, picture.height) in turned, name
        assert picture.aspect == picture.width / picture.height


@pytest.mark.parametrize("format", FORMATS)
def test_the_pixels_are_the_photos(format: str) -> None:
    for crop in crops(6, seed=11):
        picture = OPENER.open(encoded(format, crop))
        assert difference(picture.rgb, squashed(crop)) < 4
        assert (picture.width, picture.height) == crop.size


@pytest.mark.parametrize("size", [1, 8, 32, 100])
def test_any_size_is_squashed_to_a_square(size: int) -> None:
    crop = photo(200, 120)
    picture = OPENER.open(encoded("png", crop), size=size)
    assert picture.rgb.shape == (size, size, 3)
    assert difference(picture.rgb, squashed(crop, size)) < 0.5


def test_a_size_out_of_range_is_the_callers_error() -> None:
    with pytest.raises(ValueError, match=r"1\.\.4096"):
        OPENER.open(encoded("png"), size=0)


@pytest.mark.parametrize("format", ORIENTED)
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_honoured(format: str, value: int) -> None:
    crop = photo()
    options = {"tiffinfo": {274: value}} if format == "tiff" else {"exif": exif(value)}
    stored = Image.open(BytesIO(encoded("png", crop, exif=exif(value))))
    upright = ImageOps.exif_transpose(stored)
    picture = OPENER.open(encoded(format, crop, **options))
    assert (picture.width, picture.height) == upright.size
    assert difference(picture.rgb, squashed(upright)) < 4


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 90)])
@pytest.mark.parametrize("format", ["png", "webp", "avif", "tiff", "heic"])
def test_alpha_is_laid_over_the_background(format: str, background: tuple[int, int, int]) -> None:
    clear = with_alpha(photo())
    flat = Image.new("RGBA", clear.size, (*background, 255))
    flat.alpha_composite(clear)
    picture = OPENER.open(encoded(format, clear), background=background)
    assert difference(picture.rgb, squashed(flat)) < 4


def test_clear_pixels_lend_no_colour_to_their_neighbours() -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :32] = (255, 0, 0, 255)
    pixels[:, 32:] = (0, 255, 0, 0)
    picture = OPENER.open(encoded("png", Image.fromarray(pixels)), background=(0, 0, 0))
    assert picture.rgb[..., 1].max() == 0


@pytest.mark.parametrize("format", ["png", "gif"])
def test_the_clear_colour_of_a_palette_is_the_background(format: str) -> None:
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(0, (0, 0, 20, 40))
    picture = OPENER.open(encoded(format, palette, transparency=0), background=(0, 99, 0))
    assert tuple(picture.rgb[16, 2]) == (0, 99, 0)
    assert tuple(picture.rgb[16, 30]) == (0, 0, 255)


def test_the_clear_colour_of_a_true_colour_png_is_the_background() -> None:
    row = b"\0" + bytes((1, 2, 3)) * 8 + bytes((200, 0, 0)) * 8
    upload = png(16, 16, 8, 2, row * 16, png_chunk(b"tRNS", bytes((0, 1, 0, 2, 0, 3))))
    picture = OPENER.open(upload, background=(0, 255, 0))
    assert tuple(picture.rgb[16, 2]) == (0, 255, 0)
    assert tuple(picture.rgb[16, 30]) == (200, 0, 0)


def test_the_clear_level_of_a_deep_grey_png_is_the_background() -> None:
    row = b"\0" + b"\x12\x34" * 8 + b"\xff\xff" * 8
    upload = png(16, 16, 16, 0, row * 16, png_chunk(b"tRNS", b"\x12\x34"))
    picture = OPENER.open(upload, background=(0, 255, 0))
    assert tuple(picture.rgb[16, 2]) == (0, 255, 0)
    assert tuple(picture.rgb[16, 30]) == (255, 255, 255)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_shallow_grey_reaches_white(depth: int) -> None:
    rows = (b"\0" + b"\xff" * (16 * depth // 8)) * 16
    assert (OPENER.open(png(16, 16, depth, 0, rows)).rgb == 255).all()


def ramp(dtype: type, white: float) -> Image.Image:
    """64 x 64, from black on the left to ``white`` on the right."""
    return Image.fromarray(np.tile(np.linspace(0, white, 64), (64, 1)).astype(dtype))


EIGHT_BIT_RAMP = np.tile(np.linspace(0, 255, 64), (64, 1)).round().astype(np.uint8)


@pytest.mark.parametrize(
    "upload",
    [
        encoded("png", ramp(np.uint16, 65535)),
        encoded("tiff", ramp(np.uint16, 65535)),
        encoded("tiff", ramp(np.uint16, 65535), compression="tiff_lzw"),
        encoded("tiff", ramp(np.int32, 2**31 - 1)),
        encoded("tiff", ramp(np.float32, 1.0)),
        encoded("tiff", ramp(np.float32, 1.0), compression="tiff_adobe_deflate"),
        encoded("tiff", ramp(np.float32, 4000.0)),
    ],
    ids=["png16", "tiff16", "tiff16-lzw", "tiff32", "float", "float-deflate", "float-bright"],
)
def test_deep_samples_keep_their_brightness(upload: bytes) -> None:
    wanted = squashed(Image.fromarray(EIGHT_BIT_RAMP))
    assert difference(OPENER.open(upload).rgb, wanted) < 1


def test_deep_samples_where_zero_is_white() -> None:
    upload = encoded("tiff", ramp(np.uint16, 65535), tiffinfo={262: 0})
    wanted = 255 - squashed(Image.fromarray(EIGHT_BIT_RAMP))
    assert difference(OPENER.open(upload).rgb, wanted) < 1


def test_a_float_that_is_no_number_is_harmless() -> None:
    samples = np.full((40, 40), 0.5, np.float32)
    samples[0, 0], samples[1, 1], samples[2, 2] = np.nan, np.inf, -np.inf
    assert OPENER.open(encoded("tiff", Image.fromarray(samples))).rgb.shape == (32, 32, 3)


@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_cmyk_is_not_a_negative(format: str) -> None:
    crop = photo()
    assert difference(OPENER.open(encoded(format, crop.convert("CMYK"))).rgb, squashed(crop)) < 4


def test_lab_is_converted() -> None:
    crop = photo()
    from PIL import ImageCms

    lab = ImageCms.profileToProfile(
        crop, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert difference(OPENER.open(encoded("tiff", lab)).rgb, squashed(crop)) < 4


@pytest.mark.parametrize("format", ["gif", "webp", "png", "tiff", "avif", "heic"])
def test_of_several_frames_the_first_is_shown(format: str) -> None:
    first, *rest = (Image.new("RGB", (48, 48), c) for c in ((250, 0, 0), (0, 250, 0), (0, 0, 250)))
    upload = encoded(format, first, save_all=True, append_images=rest)
    assert difference(OPENER.open(upload).rgb, squashed(first)) < 6


def test_draft_mode_paints_what_the_full_decode_paints() -> None:
    large = Image.fromarray(free_photos()["coffee"]).resize((2400, 1600), Image.Resampling.BICUBIC)
    upload = encoded("jpeg", large, quality=90)
    full = Image.open(BytesIO(upload))
    picture = OPENER.open(upload)
    assert difference(picture.rgb, squashed(full)) < 1
    assert (picture.width, picture.height) == (2400, 1600)


@pytest.mark.parametrize("shape", [(3000, 1), (1, 3000), (5000, 7)])
def test_pictures_that_are_nearly_lines_open(shape: tuple[int, int]) -> None:
    crop = photo().resize(shape)
    for format in ("png", "jpeg", "bmp"):
        assert difference(OPENER.open(encoded(format, crop)).rgb, squashed(crop)) < 6


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_upload_is_a_422(format: str) -> None:
    for name, upload in variants(format).items():
        for share in (0.1, 0.5, 0.9):
            try:
                OPENER.open(upload[: int(len(upload) * share)])
            except PictureError as error:
                assert error.status in (415, 422), name  # noqa: PT017
            else:
                # what is cut off may lie behind the first frame, and then the picture is whole
                assert name in ("animated", "pages", "sequence", "several", "metadata"), name


def test_what_a_decoder_raises_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    for cause, wanted in (
        (MemoryError(), PictureTooLargeError),
        (KeyError("x"), BrokenPictureError),
        (SyntaxError("x"), BrokenPictureError),
        (RecursionError(), BrokenPictureError),
    ):

        def fail(*_: object, cause: Exception = cause, **__: object) -> None:
            raise cause

        with monkeypatch.context() as patch:
            patch.setattr(Image, "open", fail)
            with pytest.raises(wanted) as caught:
                OPENER.open(encoded("png"))
        assert caught.value.__cause__ is cause
        assert caught.value.status == 422


def test_heic_without_its_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = encoded("heic")

    def lookup(name: str) -> object:
        return None if name == "pillow_heif" else find_spec(name)

    monkeypatch.setattr(opening, "find_spec", lookup)
    with pytest.raises(UnsupportedPictureError, match=r"pip install 'prefixel\[heif\]'"):
        Opener(Limits()).open(upload)


def test_threads_share_one_opener() -> None:
    uploads = [encoded(format, crop) for format in FORMATS for crop in crops(3, seed=5)]
    wanted = [OPENER.open(upload).rgb for upload in uploads]
    wrong: list[int] = []

    def work() -> None:
        for index, upload in enumerate(uploads):
            if (OPENER.open(upload).rgb != wanted[index]).any():
                wrong.append(index)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_damaged_pictures_write_nothing_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("fax", "lzw", "jpeg", "deflate-alpha"):
        body = bytearray(variants("tiff")[name])
        for at in range(20, len(body) - 400, 7):
            body[at] ^= 0x55
        with suppress(PictureError):
            OPENER.open(bytes(body))
    assert capfd.readouterr().err == ""
