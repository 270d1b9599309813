"""Checks the first page of a TIFF and gives it a new directory that names nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.errors import BrokenPictureError, PictureTooLargeError, UnsupportedPictureError
from service.pictures.exif import UPRIGHT
from service.pictures.limits import Limits, check_parts, cut, unpack
from service.pictures.probe.header import Header

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 274, 277, 278, 279
PLANAR, T4_OPTIONS, T6_OPTIONS, PREDICTOR, COLOUR_MAP = 284, 292, 293, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES, PROFILE = 338, 339, 347, 34675
YCBCR = (529, 530, 531, 532)
KEPT = frozenset((
    WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, SAMPLES,
    ROWS_PER_STRIP, STRIP_BYTES, PLANAR, T4_OPTIONS, T6_OPTIONS, PREDICTOR, COLOUR_MAP,
    TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, EXTRA_SAMPLES, SAMPLE_FORMAT,
    JPEG_TABLES, *YCBCR,
))  # fmt: skip
"""Tags that paint. Orientation and profile are read here; EXIF, XMP, other pages are dropped."""

SINGLE = frozenset((
    WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, FILL_ORDER, ORIENTATION, SAMPLES, ROWS_PER_STRIP,
    PLANAR, T4_OPTIONS, T6_OPTIONS, PREDICTOR, TILE_WIDTH, TILE_HEIGHT,
))  # fmt: skip

RAW = 1
COMPRESSIONS = frozenset((RAW, 2, 3, 4, 5, 7, 8, 32773, 32946))
"""None, the CCITT three, LZW, JPEG, deflate (both numbers) and PackBits."""

NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
TYPE_BYTES = {1: 1, 3: 2, 4: 4, 5: 8, 7: 1, 16: 8}
SAMPLES_LIMIT = 6
ENTRIES_LIMIT = 4096
VALUES_LIMIT = 3 * 65_536
"""Most numbers in one tag: the colour map of 16 bits has that many."""

SIGNED, FLOATING = 2, 3
MINIMUM_IS_WHITE = 0


@dataclass(frozen=True, slots=True)
class _Directory:
    """The kept entries of the first page, as stored, and how to read them."""

    data: bytes
    order: str
    is_big: bool
    entries: dict[int, tuple[int, int, int, bytes]]
    """Tag -> type, count, where its values begin, the entry itself."""

    def values(self, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
        """A tag's whole numbers; the default when it is absent."""
        if tag not in self.entries:
            return default
        kind, count, at, _ = self.entries[tag]
        if kind not in NUMBERS or count == 0:
            raise BrokenPictureError(f"a TIFF whose tag {tag} is not a number")
        return unpack(f"{self.order}{min(count, SAMPLES_LIMIT)}{NUMBERS[kind]}", self.data, at)

    def value(self, tag: int, default: int) -> int:
        """A tag's first number."""
        return self.values(tag, (default,))[0]

    def bytes_of(self, tag: int, limit: int) -> bytes:
        """A tag's values as they are; empty when absent or longer than ``limit``."""
        if tag not in self.entries:
            return b""
        kind, count, at, _ = self.entries[tag]
        length = count * TYPE_BYTES[kind]
        return cut(self.data, at, length) if length <= limit else b""

    def rebuilt(self) -> bytes:
        """The file with a directory of the kept tags at its end, and no next one."""
        kept = [self.entries[tag][3] for tag in sorted(KEPT & self.entries.keys())]
        padding = bytes(len(self.data) % 8 and 8 - len(self.data) % 8)
        start = len(self.data) + len(padding)
        sign: Literal["big", "little"] = "big" if self.order == ">" else "little"
        count, offset = (8, 8) if self.is_big else (2, 4)
        where = 8 if self.is_big else 4
        return b"".join((
            self.data[:where],
            start.to_bytes(offset, sign),
            self.data[where + offset :],
            padding,
            len(kept).to_bytes(count, sign),
            *kept,
            bytes(offset),
        ))  # fmt: skip


def check(data: bytes, limits: Limits) -> Header:
    """Read the first directory of a TIFF or BigTIFF. Raises PictureError and nothing else."""
    page = _first_page(data)
    width, height = page.value(WIDTH, 0), page.value(HEIGHT, 0)
    pixels = limits.check_pixels(width, height)
    compression = page.value(COMPRESSION, RAW)
    if compression not in COMPRESSIONS:
        raise UnsupportedPictureError(f"a TIFF of compression {compression}, which is not decoded")
    samples = page.value(SAMPLES, 1)
    if not 1 <= samples <= SAMPLES_LIMIT:
        raise BrokenPictureError(f"a TIFF of {samples} samples; 1..{SAMPLES_LIMIT} are decoded")
    bits = page.values(BITS, (1,))
    depth = max(bits) * samples
    if not 1 <= max(bits) <= 64:
        raise BrokenPictureError(f"a TIFF of {max(bits)} bits a sample")
    if compression == RAW and depth * pixels // 8 > len(data):
        raise BrokenPictureError("a TIFF that is shorter than its pixels")
    segment_bytes = _check_segments(page, limits, width, height, max(depth, 32), samples)
    orientation = page.value(ORIENTATION, UPRIGHT)
    black, white = _black_and_white(page, bits[0])
    return Header(
        format="tiff",
        width=width,
        height=height,
        body=page.rebuilt(),
        pixel_bytes=4 if samples > 1 or max(bits) > 16 else 1 + (max(bits) > 8),
        fixed_bytes=0 if compression == RAW else segment_bytes * 2,
        orientation=orientation if 1 <= orientation <= 8 else UPRIGHT,
        profile=page.bytes_of(PROFILE, limits.profile_limit_bytes),
        black=black,
        white=white,
    )


def _first_page(data: bytes) -> _Directory:
    """The entries of the first directory whose values lie inside the file."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = unpack(order + "H", data, 2)[0] == 43
    if is_big and unpack(order + "HH", data, 4) != (8, 0):
        raise BrokenPictureError("a BigTIFF whose offsets are not of 8 bytes")
    (start,) = unpack(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
    (count,) = unpack(order + ("Q" if is_big else "H"), data, start)
    at, length, inline = (start + 8, 20, 8) if is_big else (start + 2, 12, 4)
    if count > ENTRIES_LIMIT:
        raise PictureTooLargeError(f"a TIFF of {count} tags; the limit is {ENTRIES_LIMIT}")
    entries: dict[int, tuple[int, int, int, bytes]] = {}
    for at_entry in range(at, at + count * length, length):
        entry = cut(data, at_entry, length)
        tag, kind, values = unpack(order + ("HHQ" if is_big else "HHI"), entry, 0)
        if tag in entries or tag not in KEPT | {ORIENTATION, PROFILE} or kind not in TYPE_BYTES:
            continue
        at_values = at_entry + length - inline
        if values * TYPE_BYTES[kind] > inline:
            (at_values,) = unpack(order + ("Q" if is_big else "I"), data, at_values)
        if values > 1 and tag in SINGLE:
            raise BrokenPictureError(f"a TIFF of {values} values in tag {tag}, which has one")
        if tag != PROFILE and values > VALUES_LIMIT:
            raise PictureTooLargeError(f"a TIFF of {values} values in tag {tag}")
        if at_values + values * TYPE_BYTES[kind] > len(data):
            if tag == PROFILE:
                continue
            raise BrokenPictureError(f"a TIFF whose tag {tag} lies outside the file")
        entries[tag] = kind, values, at_values, entry
    return _Directory(data, order, is_big, entries)


def _check_segments(
    page: _Directory, limits: Limits, width: int, height: int, depth: int, samples: int
) -> int:
    """Bytes of one decoded strip or tile. Raises PictureError for too many or too large ones."""
    planes = samples if page.value(PLANAR, 1) == 2 else 1
    if TILE_WIDTH in page.entries or TILE_OFFSETS in page.entries:
        across, down = page.value(TILE_WIDTH, 0), page.value(TILE_HEIGHT, 0)
        offsets = TILE_OFFSETS
    else:
        across, down = width, min(page.value(ROWS_PER_STRIP, height), height)
        offsets = STRIP_OFFSETS
    segment_pixels = limits.check_pixels(across, down)
    expected = -(-width // across) * -(-height // down) * planes
    check_parts(expected, "strips or tiles")
    if offsets not in page.entries:
        raise BrokenPictureError("a TIFF that does not say where its pixels are")
    check_parts(page.entries[offsets][1], "strips or tiles")
    if page.entries[offsets][1] < expected:
        raise BrokenPictureError("a TIFF that lacks some of its strips or tiles")
    return segment_pixels * depth // 8


def _black_and_white(page: _Directory, bits: int) -> tuple[float, float]:
    """The samples that stand for black and white in one channel of more than 8 bits."""
    kind = page.value(SAMPLE_FORMAT, 1)
    if kind == FLOATING:
        return 0.0, 0.0
    white = float(2 ** (bits - 1 if kind == SIGNED else bits) - 1)
    return (white, 0.0) if page.value(PHOTOMETRIC, 1) == MINIMUM_IS_WHITE else (0.0, white)
