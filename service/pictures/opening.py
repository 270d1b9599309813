"""An upload's bytes -> an opaque, upright sRGB square: the one way in for pictures.

    bytes -> sniff -> header (limits) -> memory -> decode -> shrink -> colour -> turn -> Picture

The decoder gets the file rebuilt by ``probe`` and one plugin only, the one that was sniffed.
Whatever it raises is translated here, once.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from PIL import Image

from service.codec.interface import Pixels
from service.errors import BrokenPictureError, PictureTooLargeError, UnsupportedPictureError
from service.pictures.colour import flatten
from service.pictures.decode import decode
from service.pictures.limits import Limits
from service.pictures.memory import MemoryBudget
from service.pictures.probe import Header, read_header
from service.pictures.quiet import silence_libtiff
from service.pictures.shrink import BAND_PIXEL_BYTES, FACTOR_LIMIT, GAP, band_rows, shrink
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


@dataclass(frozen=True, slots=True)
class Picture:
    """``rgb`` is uint8 [size, size, 3], squashed; width and height are the upright original's."""

    rgb: Pixels
    width: int
    height: int
    format: str

    @property
    def aspect(self) -> float:
        """Width / height of the original, after orientation."""
        return self.width / self.height


class Opener:
    """Opens uploads within ``limits``. Thread-safe: the memory is shared by all threads."""

    def __init__(self, limits: Limits) -> None:
        """Registers the HEIC plugin where the ``heif`` extra is installed."""
        self.limits = limits
        self._memory = MemoryBudget(limits.decode_memory_bytes, limits.memory_wait_seconds)
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
        size: int = 32,
        background: tuple[int, int, int] = (255, 255, 255),
    ) -> Picture:
        """The picture in ``data``, squashed to ``size`` x ``size`` over ``background``.

        Raises UnsupportedPictureError, BrokenPictureError or PictureTooLargeError for what is in
        the bytes, QueueFullError when other pictures hold the memory for too long.
        """
        if size not in SIZES:
            raise ValueError(f"a size is {SIZES.start}..{SIZES.stop - 1}, not {size}")
        format = sniff(data)
        if format == "heic" and not self._has_heic:
            raise UnsupportedPictureError("HEIC needs the extra 'heif', which is not installed")
        header = read_header(format, data, self.limits)
        with self._memory.hold(_memory_bytes(header, size)):
            try:
                return self._decode(header, size, background)
            except (UnsupportedPictureError, BrokenPictureError, PictureTooLargeError):
                raise
            except MemoryError as error:
                raise PictureTooLargeError("decoding took more memory than there is") from error
            except Exception as error:
                # The border: plugins raise OSError, SyntaxError, ValueError, KeyError,
                # struct.error, RuntimeError and more, all of which mean the same to a client.
                raise BrokenPictureError(f"the {format} does not decode") from error

    def _decode(self, header: Header, size: int, background: tuple[int, int, int]) -> Picture:
        decoded = decode(header, size, self.limits)
        rgb = flatten(shrink(decoded.rows, size), decoded.profile, background, space=header.colour)
        width, height = decoded.size
        if decoded.orientation in TURNS:
            rgb = np.asarray(Image.fromarray(rgb).transpose(TURNS[decoded.orientation]))
        if decoded.orientation >= 5:
            width, height = height, width
        return Picture(np.ascontiguousarray(rgb), width, height, header.format)


def _memory_bytes(header: Header, size: int) -> int:
    """What decoding takes at its peak: the body, the pixels, the decoder's own, a band."""
    across, down = header.coded_size
    if header.scalable:
        scale = min(across // (size * GAP), down // (size * GAP))
        divisor = next((step for step in (8, 4, 2) if scale >= step), 1)
        across, down = -(-across // divisor), -(-down // divisor)
    pixels = across * down
    across, down = header.width, header.height
    boxed = min(FACTOR_LIMIT, max(1, down // (size * GAP)))
    band = BAND_PIXEL_BYTES * across * min(down, band_rows(across, boxed))
    return int(len(header.body) + pixels * header.pixel_bytes + header.fixed_bytes + band)
