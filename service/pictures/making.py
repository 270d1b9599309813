"""A checked header -> a square and a photo: what runs the decoders, here or in another process.

    header -> decode -> shrink -> colour -> turn -> Made

The decoder gets the file rebuilt by ``probe`` and one plugin only, the one that was sniffed.
Whatever it raises is translated here, once.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from PIL import Image

from service.codec.geometry import Size
from service.codec.pixels import Pixels
from service.errors import BrokenPictureError, PictureError, PictureTooLargeError
from service.pictures.colour import flatten
from service.pictures.decode import Decoded, decode, divisor
from service.pictures.limits import Limits
from service.pictures.probe import Header
from service.pictures.quiet import silence_libtiff
from service.pictures.shrink import GAP, PHOTO_GAP, shrink

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes it upright."""

FLAT_PIXELS = 2**20
"""Pixels of a photo whose colours are converted at a time."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made of a checked header; ``Opener.open`` says what the rest is."""

    header: Header
    size: int
    background: tuple[int, int, int]
    photo_side: int | None
    limits: Limits


@dataclass(frozen=True, slots=True)
class Made:
    """``rgb`` is uint8 [size, size, 3]; width and height are the upright original's.

    ``photo`` is uint8 [H, W, 3], where it was asked for.
    """

    rgb: Pixels
    width: int
    height: int
    photo: Pixels | None


def prepare(limits: Limits) -> None:
    """Set Pillow up, for the whole process; registers the HEIC plugin where it is installed."""
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    # Pillow's own bound is a second line behind ours, and must not be the lower one.
    # Of samples that it only unpacks, a byte is a pixel to it; the budget bounds those.
    Image.MAX_IMAGE_PIXELS = max(
        Image.MAX_IMAGE_PIXELS or 0, limits.pixel_limit, limits.decode_memory_bytes
    )
    # Its warnings repeat what the bytes say, on stderr; the one that matters becomes an error.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    silence_libtiff()


def make(job: Job) -> Made:
    """Decode and shrink. Raises BrokenPictureError and PictureTooLargeError."""
    try:
        return _make(job)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureTooLargeError("decoding took more memory than there is") from error
    except Exception as error:
        # The border: plugins raise OSError, SyntaxError, ValueError, KeyError,
        # struct.error, RuntimeError and more, all of which mean the same to a client.
        raise BrokenPictureError(f"the {job.header.format} does not decode") from error


def _make(job: Job) -> Made:
    header, size = job.header, job.size
    enough = (size * GAP, size * GAP)
    decoded = decode(header, enough, job.limits)
    small = shrink(decoded.rows, (size, size))
    rgb = flatten(small, decoded.profile, job.background, space=header.colour)
    photo = None
    if job.photo_side is not None:
        wanted = Size(*decoded.size).within(job.photo_side)
        sides = wanted.width, wanted.height
        if divisor(header, sides) != divisor(header, enough):
            # A thumbnail is made of the smaller one, photo or not, or its pixels would depend
            # on what else was asked for.
            del decoded
            decoded = decode(header, sides, job.limits)
        photo = _turned(_flat(decoded, header, sides, job.background), decoded.orientation)
    width, height = decoded.size
    if decoded.orientation >= 5:
        width, height = height, width
    return Made(_turned(rgb, decoded.orientation), width, height, photo)


def _flat(
    decoded: Decoded, header: Header, size: tuple[int, int], background: tuple[int, int, int]
) -> Pixels:
    """A photo, uint8 [H, W, 3], not upright yet."""
    resized = shrink(decoded.rows, size, PHOTO_GAP)
    flat = np.empty((size[1], size[0], 3), np.uint8)
    step = max(1, FLAT_PIXELS // size[0])
    for top in range(0, size[1], step):
        bottom = min(size[1], top + step)
        band = resized.crop((0, top, size[0], bottom))
        flat[top:bottom] = flatten(band, decoded.profile, background, space=header.colour)
    return flat


def _turned(rgb: Pixels, orientation: int) -> Pixels:
    if orientation in TURNS:
        # a copy that may be written to: compiled code has one signature for those alone
        rgb = np.array(Image.fromarray(rgb).transpose(TURNS[orientation]))
    return np.ascontiguousarray(rgb)
