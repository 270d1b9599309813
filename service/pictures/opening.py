"""An upload's bytes -> an opaque, upright sRGB square: the one way in for pictures.

    bytes -> sniff -> header (limits) -> memory -> making -> Picture

What is above ``making`` runs here; decoders may run in a process of their own (``isolated``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from service.codec.geometry import THUMB_SIDE, Size
from service.codec.interface import Kind
from service.codec.pixels import Pixels
from service.errors import UnsupportedPictureError
from service.pictures.decode import divisor
from service.pictures.limits import Limits
from service.pictures.making import FLAT_PIXELS, Job, Made, make, prepare
from service.pictures.memory import Lease, MemoryBudget
from service.pictures.probe import Header, read_header
from service.pictures.shrink import BAND_PIXEL_BYTES, GAP, PHOTO_GAP, band_rows, boxes
from service.pictures.sniff import FORMATS, sniff

SIZES = range(1, 4097)
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


Decode = Callable[[Job, int, Callable[[], float]], Made]
"""A job, the bytes of memory that it may take, when it is due -> what was made."""


def made_here(job: Job, _memory_bytes: int, _due: Callable[[], float]) -> Made:
    """In this thread."""
    return make(job)


class Opener:
    """Opens uploads within ``limits``. Thread-safe: the memory is shared by all threads."""

    def __init__(self, limits: Limits, decode: Decode = made_here) -> None:
        """``decode`` may take a job elsewhere; within a thread of this process it is ``make``."""
        self.limits = limits
        self.memory = MemoryBudget(limits.decode_memory_bytes, limits.memory_wait_seconds)
        self._has_heic = find_spec("pillow_heif") is not None
        self._decode = decode
        prepare(limits)

    def open(
        self,
        data: bytes,
        *,
        size: int = THUMB_SIDE,
        background: tuple[int, int, int] = (255, 255, 255),
        photo_side: int | None = None,
        due: Callable[[], float] = lambda: math.inf,
    ) -> Picture:
        """The picture in ``data``, squashed to ``size`` x ``size`` over ``background``.

        With ``photo_side`` also as a photo whose long side is at most that; never enlarged.
        ``due`` tells when nobody waits for it any more (``time.monotonic``), which may be put off;
        what runs in a process of its own is then killed, and DeadlineError raised.
        Raises UnsupportedPictureError, BrokenPictureError or PictureTooLargeError for what is in
        the bytes, QueueFullError when other pictures hold the memory for too long. The picture
        holds its own pixels' until it is released.
        """
        if size not in SIZES or (photo_side or size) not in SIZES:
            raise ValueError(f"a size is {SIZES.start}..{SIZES.stop - 1}, not {size}, {photo_side}")
        format = sniff(data)
        if format == "heic" and not self._has_heic:
            raise UnsupportedPictureError(
                "HEIC is not installed here: pip install 'prefixel[heif]'",
                accepted=[one for one in FORMATS if one != "heic"],
            )
        header = read_header(format, data, self.limits)
        lease = self.memory.hold(_memory_bytes(header, size, photo_side))
        try:
            job = Job(header, size, background, photo_side, self.limits)
            made = self._decode(job, lease.held_bytes, due)
        except BaseException:
            lease.release()
            raise
        lease.shrink(made.rgb.nbytes + (0 if made.photo is None else made.photo.nbytes))
        return Picture(made.rgb, made.width, made.height, header.format, made.photo, lease)


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
