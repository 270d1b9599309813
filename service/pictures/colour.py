"""Colours by their profile or code points to sRGB, and alpha over a background, on a small picture.

Both come after the resize: a profile then costs a thousand pixels and not millions, but for photos.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from service.codec.interface import Pixels
from service.pictures.colour_space import ColourSpace

SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
"""Mode -> the colour space that a profile for it must have."""

SPACED = ("L", "La", "RGB", "RGBa")
"""Modes whose colours code points can tell."""

PROFILE_HEADER_BYTES = 128
SMALL_PIXELS = 2**14


def flatten(
    picture: Image.Image,
    profile: bytes,
    background: tuple[int, int, int],
    space: ColourSpace | None = None,
) -> Pixels:
    """Opaque sRGB, uint8 [H, W, 3], of mode L, RGB, CMYK, LAB, La or RGBa.

    A profile that is broken, or not for the picture's colour space, is ignored. Without a profile
    ``space`` says what the colours are; without either they are sRGB.
    """
    if space and not profile and picture.mode in SPACED:
        profile = space.profile(is_grey=picture.mode in ("L", "La"))
    if picture.mode in ("La", "RGBa"):
        straight = picture.convert(picture.mode.upper())
        alpha = np.asarray(straight.getchannel("A"), dtype=np.float32)[:, :, None] / 255
        colour = straight.convert(straight.mode[:-1])
        over = np.asarray(to_srgb(colour, profile), dtype=np.float32)
        under = np.array(background, dtype=np.float32)
        return np.rint(over * alpha + under * (1 - alpha)).astype(np.uint8)
    return np.asarray(to_srgb(picture, profile), dtype=np.uint8)


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The picture in mode RGB, through its profile where that holds."""
    if picture.mode == "LAB":
        return _transformed(picture, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    space = profile[16:20].decode("latin-1").rstrip()
    if len(profile) > PROFILE_HEADER_BYTES and space == SPACES.get(picture.mode):
        try:
            return _transformed(picture, ImageCms.ImageCmsProfile(BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError):
            # littlecms refuses it: the numbers are then taken as they stand, as browsers do
            return picture.convert("RGB")
    return picture.convert("RGB")


def _transformed(picture: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    # Optimised, littlecms tabulates the whole colour space first: 5 ms, 60 for CMYK, which a
    # thumbnail's thousand pixels are not worth.
    is_small = picture.width * picture.height <= SMALL_PIXELS
    flags = ImageCms.Flags.NOOPTIMIZE if is_small else ImageCms.Flags.NONE
    transform = ImageCms.buildTransform(
        source,
        target,
        picture.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags,
    )
    moved = transform.apply(picture)
    moved.info.pop("icc_profile", None)
    return moved
