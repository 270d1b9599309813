"""Checks an AVIF or a HEIC: its primary picture, the tiles it is made of, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from service.errors import BrokenPictureError, PictureTooLargeError, UnsupportedPictureError
from service.pictures.colour_space import ColourSpace, coded_colour
from service.pictures.limits import Limits, check_unfilled, cut, unpack
from service.pictures.probe import av1, hevc
from service.pictures.probe.boxes import Box, Items, boxes, read_items
from service.pictures.probe.header import Header

AVIF_CODING, HEIC_CODING = b"av01", b"hvc1"
STILL_BRANDS = {b"avis": b"avif", b"hevc": b"heic", b"hevx": b"heix", b"msf1": b"mif1"}
"""Brand of a sequence -> that of a still picture: decoders would look for the sequence's track."""

LAYERS_FACTOR = 4
"""Most pixels of tiles, canvas and alpha together, in units of the pixel limit."""

DEPTH_LIMIT = 3
"""A picture of tiles with alpha is two deep."""


def check(data: bytes, limits: Limits, format: str) -> Header:
    """Walk the boxes of ``format``, avif or heic. Raises PictureError and nothing else."""
    top = list(_top_boxes(data))
    meta = next((box for box in top if box.kind == b"meta"), None)
    if meta is None:
        raise UnsupportedPictureError("an image sequence without a still picture is not decoded")
    found = read_items(data, meta)
    if not found.items[found.primary].kind:
        raise BrokenPictureError("a file that does not say which of its pictures is the one")
    width, height = _size(data, found, found.primary)
    limits.check_pixels(width, height)
    work = _Work(data, found, AVIF_CODING if format == "avif" else HEIC_CODING, limits)
    work.add(found.primary, 1, 0)
    coded = width, height
    place = (0, 0)
    if format == "avif" and (window := _window(data, found, coded)):
        # libheif crops by itself, libavif leaves that to who calls it
        place, (width, height) = (-window[0], -window[1]), window[2:]
    return Header(
        format=format,
        width=width,
        height=height,
        body=_still(data, top, found, format),
        coded=coded,
        place=place,
        pixel_bytes=_pixel_bytes(data, found, format)
        * max(1, work.largest / (coded[0] * coded[1])),
        colour=_colour(data, found, format),
    )


def _top_boxes(data: bytes) -> Iterator[Box]:
    """The outermost boxes; the last may be cut, since what is behind a picture does not matter."""
    end = 0
    try:
        for box in boxes(data, 0, len(data)):
            yield box
            end = box.end
    except BrokenPictureError:
        kind = data[end + 4 : end + 8]
        if kind == b"meta" or end == 0:
            raise
        yield Box(kind, end, min(end + 8, len(data)), len(data))


def _window(data: bytes, items: Items, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of the clean aperture (ISO/IEC 14496-12, 12.1.4).

    None where there is none, or where its numbers name no part of the picture.
    """
    for box in items.items[items.primary].properties:
        if box.kind == b"clap" and box.end - box.start >= 32:
            numbers = unpack(">8i", data, box.start)
            if min(numbers[1::2]) <= 0:
                return None
            across, down, right, low = (
                Fraction(top, bottom)
                for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)
            )
            width, height = round(across), round(down)
            left = round((size[0] - across) / 2 + right)
            top = round((size[1] - down) / 2 + low)
            if left < 0 or top < 0 or width < 1 or height < 1:
                return None
            if left + width > size[0] or top + height > size[1]:
                return None
            return left, top, width, height
    return None


def _colour(data: bytes, items: Items, format: str) -> ColourSpace | None:
    """What nclx says of the primary picture or its first tile, else the AV1 bitstream."""
    tiles = items.made_of.get(items.primary, ())[:1]
    for number in (items.primary, *tiles):
        for box in items.items[number].properties:
            if box.kind == b"colr" and data[box.start : box.start + 4] == b"nclx":
                return coded_colour(*unpack(">HH", data, box.start + 4))
    if format == "avif":
        coded = tiles[0] if tiles else items.primary
        return coded_colour(*av1.colour_codes(items.data(data, coded)))
    return None


class _Work:
    """Adds up the pixels that a decoder paints for one picture, tile by tile."""

    def __init__(self, data: bytes, items: Items, coding: bytes, limits: Limits) -> None:
        self._data, self._items, self._coding, self._limits = data, items, coding, limits
        self._known: dict[int, int] = {}
        self.pixels = 0
        self.largest = 0

    def add(self, number: int, times: int, depth: int) -> None:
        """Count an item ``times`` over, with its tiles and its alpha."""
        if depth > DEPTH_LIMIT:
            raise PictureTooLargeError(f"pictures inside pictures, more than {DEPTH_LIMIT} deep")
        kind = self._items.items[number].kind
        if kind == b"grid":
            self.pixels += times * self._limits.check_pixels(
                *_size(self._data, self._items, number)
            )
            tiles = self._items.made_of.get(number, ())
            for tile in set(tiles):
                self.add(tile, times * tiles.count(tile), depth + 1)
        elif kind == self._coding:
            if number not in self._known:
                self._known[number] = self._coded(number)
            self.pixels += times * self._known[number]
            self.largest = max(self.largest, self._known[number])
        else:
            raise UnsupportedPictureError(
                f"a picture coded as {kind.decode('ascii', 'replace')!r} is not decoded"
            )
        limit = LAYERS_FACTOR * self._limits.pixel_limit
        if self.pixels > limit:
            raise PictureTooLargeError(
                f"tiles and layers of more than {limit} pixels", pixels=self.pixels, limit=limit
            )
        for aid in set(self._items.aids.get(number, ())):
            if self._items.items[aid].kind in (self._coding, b"grid"):
                self.add(aid, times, depth + 1)

    def _coded(self, number: int) -> int:
        """Pixels of one coded item: what its bitstream says, and no less than the file does."""
        width, height = _size(self._data, self._items, number)
        said = self._limits.check_pixels(width, height)
        body = self._items.data(self._data, number)
        check_unfilled(body, "an AVIF or HEIC")
        if self._coding == AVIF_CODING:
            return max(said, av1.painted_pixels(body))
        config = _property(self._items, number, b"hvcC")
        return max(said, hevc.painted_pixels(self._data[config.start : config.end], body))


def _pixel_bytes(data: bytes, items: Items, format: str) -> float:
    """Memory of a pixel while it is decoded, from its chroma and depth; measured, rounded up."""
    number = items.primary
    if items.items[number].kind == b"grid":
        number = next(iter(items.made_of.get(number, ())), number)
    box = _property(items, number, b"av1C" if format == "avif" else b"hvcC")
    config = data[box.start : box.end]
    if format == "avif":
        (flags,) = unpack(">B", config, 2)
        is_deep = bool(flags & 0x40)
        samples = 1.0 if flags & 0x10 else {0x0C: 1.5, 0x08: 2.0}.get(flags & 0x0C, 3.0)
    else:
        chroma, depth = unpack(">BB", config, 16)
        is_deep = bool(depth & 7)
        samples = (1.0, 1.5, 2.0, 3.0)[chroma & 3]
    has_alpha = bool(items.aids.get(items.primary) or items.aids.get(number))
    samples += has_alpha
    if format == "avif":
        return 8 + samples * (1 + is_deep) + has_alpha
    return 5 + samples * (2 + is_deep) + has_alpha


def _property(items: Items, number: int, kind: bytes) -> Box:
    """An item's property. Raises BrokenPictureError when it has none of that kind."""
    for box in items.items[number].properties:
        if box.kind == kind:
            return box
    raise BrokenPictureError(f"an item without its {kind.decode()} property")


def _size(data: bytes, items: Items, number: int) -> tuple[int, int]:
    """Width and height of an item, before it is turned or cropped."""
    box = _property(items, number, b"ispe")
    width, height = unpack(">II", cut(data, box.start, box.end - box.start), 4)
    return width, height


def _still(data: bytes, top: list[Box], items: Items, format: str) -> bytes:
    """The file without its image sequence and its metadata, branded as a still picture."""
    body = bytearray(data)
    for place in items.metadata:
        body[place : place + 4] = b"none"
    last = top[-1]
    (length,) = unpack(">I", data, last.at)
    if length > 1 and last.at + length > len(data):
        body[last.at : last.at + 4] = bytes(4)  # to the end of the file
    for box in top:
        if box.kind == b"moov":
            body[box.at + 4 : box.at + 8] = b"free"
    for at in (8, *range(16, top[0].end - 3, 4)):
        brand = bytes(body[at : at + 4])
        body[at : at + 4] = STILL_BRANDS.get(brand, brand)
    if format == "avif":
        body[8:12] = b"avif"
    return bytes(body)
