"""A checked header -> the rows of its picture: the only place where decoders run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO

from PIL import Image, ImageFile

from service.errors import BrokenPictureError
from service.pictures.exif import orientation
from service.pictures.jpeg_ends import check_whole, ends_in_grey
from service.pictures.layout import Masks, Samples
from service.pictures.limits import Limits
from service.pictures.masks import MaskRows
from service.pictures.probe import Header
from service.pictures.rows import DeepRgbRows, PillowRows, PlacedRows, Rows
from service.pictures.samples import SampleRows

PLUGINS = {"heic": "HEIF"}
"""Format -> Pillow's name for it, where that is not the same in capitals."""

BOXED = ("avif", "heic")
"""Formats whose decoders turn by themselves, so that sizes differ from the header's."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows as stored; ``size`` is the original's width and height, before ``orientation``."""

    rows: Rows
    size: tuple[int, int]
    orientation: int
    profile: bytes


def decode(header: Header, wanted: tuple[int, int], limits: Limits) -> Decoded:
    """Decode at least ``wanted`` (width, height), or all there is. Raises whatever decoders do."""
    canvas = header.width, header.height
    if header.format in BOXED:
        return _boxed(header, limits)
    return Decoded(_rows(header, wanted, canvas), canvas, header.orientation, header.profile)


def _rows(header: Header, wanted: tuple[int, int], canvas: tuple[int, int]) -> Rows:
    if isinstance(header.layout, Masks):
        return MaskRows(header.body, header.layout, canvas)
    if isinstance(header.layout, Samples):
        planes = header.layout.samples if header.layout.is_planar else 1
        return SampleRows([_page(header, page) for page in range(planes)], header.layout, canvas)
    if header.format == "jpeg":
        return PillowRows(_jpeg(header, wanted))
    picture = _page(header, 0)
    if header.clear_bits == 16 and len(header.clear) == 3:
        return DeepRgbRows(picture, _lower_bytes(header), header.clear)
    rows = PillowRows(picture, header.clear)
    return rows if header.coded_size == canvas else PlacedRows(rows, canvas, header.place)


def _opened(header: Header) -> ImageFile.ImageFile:
    """The file, its pixels not decoded yet. Raises BrokenPictureError for another size."""
    plugin = PLUGINS.get(header.format, header.format.upper())
    picture = Image.open(BytesIO(header.body), formats=[plugin])
    if header.format not in BOXED and picture.size != header.coded_size:
        raise BrokenPictureError(f"the {header.format} has two different sizes")
    return picture


def _page(header: Header, page: int) -> Image.Image:
    """One page, decoded."""
    picture = _opened(header)
    if page:
        picture.seek(page)
    picture.load()
    return picture


def divisor(header: Header, wanted: tuple[int, int]) -> int:
    """By what the decoder divides the sides: 1, or 2, 4, 8 where it can and as much is left."""
    if not header.scalable:
        return 1
    scale = min(side // least for side, least in zip(header.coded_size, wanted, strict=True))
    return next((step for step in (8, 4, 2) if scale >= step), 1)


def _jpeg(header: Header, wanted: tuple[int, int]) -> Image.Image:
    """The picture at the least scale that is enough, once it is known to be whole."""
    draft = wanted if header.scalable else None
    if header.is_doubtful:
        check_whole(header.body, draft, header.is_closed)
    picture = _opened(header)
    if draft:
        picture.draft(None, draft)
    picture.load()
    if header.is_checkable and not header.is_doubtful and ends_in_grey(picture):
        del picture  # so that two are never held
        return _jpeg(replace(header, is_doubtful=True), wanted)
    return picture


def _lower_bytes(header: Header) -> Image.Image:
    """A PNG of 16 bits a channel by the lower byte of each, where Pillow paints the upper."""
    picture = _opened(header)
    picture.tile = [tile._replace(args="RGB;16L") for tile in picture.tile]
    picture.load()
    return picture


def _boxed(header: Header, limits: Limits) -> Decoded:
    """AVIF and HEIC: what the decoder says of orientation, profile and size goes."""
    picture = _opened(header)
    limits.check_pixels(*picture.size)
    picture.load()
    profile = _bytes(picture.info.get("icc_profile"))
    rows: Rows = PillowRows(picture)
    size = picture.size
    cropped = header.width, header.height
    if cropped != header.coded_size == size:
        size, rows = cropped, PlacedRows(rows, cropped, header.place)
    return Decoded(
        rows,
        size,
        orientation(_bytes(picture.info.get("exif"))),
        profile if len(profile) <= limits.profile_limit_bytes else b"",
    )


def _bytes(value: object) -> bytes:
    """Metadata as a plugin gives it: bytes, or nothing."""
    return value if isinstance(value, bytes) else b""
