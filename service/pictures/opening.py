"""An upload's bytes -> an opaque, upright sRGB square: the one way in for pictures.

    bytes -> sniff -> header (limits) -> memory -> decode -> shrink -> colour -> turn -> Picture

The decoder gets the file rebuilt by ``probe`` and one plugin only, the one that was sniffed.
Whatever it raises is translated here, once.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from service.codec.geometry import THUMB_SIDE, Size
from service.codec.interface import Kind
from service.codec.pixels import Pixels
from service.errors import (
    BrokenPictureError,
    PictureError,
    PictureTooLargeError,
    UnsupportedPictureError,
)
from service.pictures.colour import flatten
from service.pictures.decode import Decoded, decode, divisor
from service.pictures.limits import Limits
from service.pictures.memory import Lease, MemoryBudget
from service.pictures.probe import Header, read_header
from service.pictures.quiet import silence_libtiff
from service.pictures.shrink import BAND_PIXEL_BYTES, GAP, PHOTO_GAP, band_rows, boxes, shrink
from service.pictures.sniff import sniff

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

SIZES = range(1, 4097)
FLAT_PIXELS = 2**20
"""Pixels of a photo whose colours are converted at a time."""
FLAT_PIXEL_BYTES = 40
RESIZED_PIXEL_BYTES = 14
"""A photo as Pillow resizes it, and as numpy has it, upright and not."""


@dataclass(frozen=True, slots=True)
class Picture:
    """``rgb`` is uint8 [size, size, 3], squashed; width and height are the upright original's.

    ``photo`` is uint8 [H, W, 3] of the original's shape, where it was asked for.
    It holds its share of the budget of memory until it is released, as ``with picture:`` does.
    """

    rgb: Pixels
    width: int
    height: int
    format: str
    photo: Pixels | None = None
    lease: Lease | None = field(default=None, compare=False, repr=False)

    def pixels(self, kind: Kind) -> Pixels:
        """What a codec of this kind takes; raises ValueError for a photo that was not made."""
        if kind == "thumb":
            return self.rgb
        if self.photo is None:
            raise ValueError("opened without a photo")
        return self.photo

    @property
    def aspect(self) -> float:
        """Width / height of the original, after orientation."""
        return self.width / self.height

    def release(self) -> None:
        """Give its memory back to the budget; again: nothing happens."""
        if self.lease is not None:
            self.lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class Opener:
    """Opens uploads within ``limits``. Thread-safe: the memory is shared by all threads."""

    def __init__(self, limits: Limits) -> None:
        """Registers the HEIC plugin where the ``heif`` extra is installed."""
        self.limits = limits
        self.memory = MemoryBudget(limits.decode_memory_bytes, limits.memory_wait_seconds)
        self._has_heic = find_spec("pillow_heif") is not None
        if self._has_heic:
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

    def open(
        self,
        data: bytes,
        *,
        size: int = THUMB_SIDE,
        background: tuple[int, int, int] = (255, 255, 255),
        photo_side: int | None = None,
    ) -> Picture:
        """The picture in ``data``, squashed to ``size`` x ``size`` over ``background``.

        With ``photo_side`` also as a photo whose long side is at most that; never enlarged.
        Raises UnsupportedPictureError, BrokenPictureError or PictureTooLargeError for what is in
        the bytes, QueueFullError when other pictures hold the memory for too long. The picture
        holds its own pixels' until it is released.
        """
        if size not in SIZES or (photo_side or size) not in SIZES:
            raise ValueError(f"a size is {SIZES.start}..{SIZES.stop - 1}, not {size}, {photo_side}")
        format = sniff(data)
        if format == "heic" and not self._has_heic:
            raise UnsupportedPictureError("HEIC needs the extra 'heif', which is not installed")
        header = read_header(format, data, self.limits)
        lease = self.memory.hold(_memory_bytes(header, size, photo_side))
        try:
            picture = self._decode(header, size, background, photo_side)
            lease.shrink(
                picture.rgb.nbytes + (0 if picture.photo is None else picture.photo.nbytes)
            )
            return replace(picture, lease=lease)
        except BaseException as error:
            lease.release()
            if isinstance(error, PictureError) or not isinstance(error, Exception):
                raise
            if isinstance(error, MemoryError):
                raise PictureTooLargeError("decoding took more memory than there is") from error
            # The border: plugins raise OSError, SyntaxError, ValueError, KeyError,
            # struct.error, RuntimeError and more, all of which mean the same to a client.
            raise BrokenPictureError(f"the {format} does not decode") from error

    def _decode(
        self,
        header: Header,
        size: int,
        background: tuple[int, int, int],
        photo_side: int | None,
    ) -> Picture:
        enough = (size * GAP, size * GAP)
        decoded = decode(header, enough, self.limits)
        small = shrink(decoded.rows, (size, size))
        rgb = flatten(small, decoded.profile, background, space=header.colour)
        photo = None
        if photo_side is not None:
            wanted = Size(*decoded.size).within(photo_side)
            sides = wanted.width, wanted.height
            if divisor(header, sides) != divisor(header, enough):
                # A thumbnail is made of the smaller one, photo or not, or its pixels would depend
                # on what else was asked for.
                del decoded
                decoded = decode(header, sides, self.limits)
            photo = _turned(_flat(decoded, header, sides, background), decoded.orientation)
        width, height = decoded.size
        if decoded.orientation >= 5:
            width, height = height, width
        rgb = _turned(rgb, decoded.orientation)
        return Picture(rgb, width, height, header.format, photo)


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


def _memory_bytes(header: Header, size: int, photo_side: int | None) -> int:
    """What decoding takes at its peak: the body, the pixels, the decoder's own, a band."""
    canvas = header.width, header.height
    thumb = (size, size)
    taken = _decoding_bytes(header, (size * GAP, size * GAP), boxes(canvas, thumb, GAP))
    if photo_side is not None:
        wanted = Size(*canvas).within(photo_side)
        sides = wanted.width, wanted.height
        across, down = boxes(canvas, sides, PHOTO_GAP)
        boxed = -(-header.width // across) * -(-header.height // down)
        flat = min(FLAT_PIXELS, wanted.pixels) * FLAT_PIXEL_BYTES
        work = 4 * boxed + wanted.pixels * RESIZED_PIXEL_BYTES + flat
        taken = max(taken, _decoding_bytes(header, sides, (across, down)) + work)
    return len(header.body) + taken


def _decoding_bytes(header: Header, wanted: tuple[int, int], box: tuple[int, int]) -> int:
    """Pixels at the scale that is enough for ``wanted``, and a band for such boxes."""
    scale = divisor(header, wanted)
    across, down = (-(-side // scale) for side in header.coded_size)
    pixels = across * down
    band = BAND_PIXEL_BYTES * header.width * min(header.height, band_rows(header.width, box[1]))
    return int(pixels * header.pixel_bytes + header.fixed_bytes + band)
