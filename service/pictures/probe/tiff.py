"""Checks the first page of a TIFF; tells what its samples mean, and where the bytes are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from service.errors import BrokenPictureError, UnsupportedPictureError
from service.pictures.exif import UPRIGHT
from service.pictures.layout import Alpha, Meaning, SampleKind, Samples, YCbCr
from service.pictures.limits import FILLING_LIMIT, Limits, check_parts, check_unfilled
from service.pictures.probe.header import Header
from service.pictures.probe.tiff_directory import Directory, first_page, rebuilt
from service.pictures.samples import COLOURS, piece_bytes

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 274, 277, 278, 279
PLANAR, T4_OPTIONS, T6_OPTIONS, PREDICTOR, COLOUR_MAP = 284, 292, 293, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES, PROFILE = 332, 338, 339, 347, 34675
YCBCR_WEIGHTS, YCBCR_SUBSAMPLING, YCBCR_CODES = 529, 530, 532

RAW, JPEG = 1, 7
FAX = frozenset((2, 3, 4))
PREDICTED = frozenset((5, 8, 32946))
COMPRESSIONS = frozenset((RAW, JPEG, 32773)) | FAX | PREDICTED
"""None, JPEG, PackBits, the CCITT three, LZW and deflate (both numbers)."""

MEANINGS: dict[int, Meaning] = {
    0: "inverted", 1: "grey", 2: "rgb", 3: "palette", 5: "cmyk", 6: "ycbcr", 8: "lab", 9: "icclab",
}  # fmt: skip
KINDS: dict[int, SampleKind] = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}
DEPTHS: dict[SampleKind, frozenset[int]] = {
    "unsigned": frozenset((*range(1, 17), 24, 32, 64)),
    "signed": frozenset((*range(2, 17), 24, 32, 64)),
    "float": frozenset((16, 32, 64)),
}
ASSOCIATED, UNASSOCIATED = 1, 2
SAMPLES_LIMIT = 6
JPEG_TABLES_LIMIT = 2**18


@dataclass(frozen=True, slots=True)
class _Segments:
    """Strips or tiles: their size in pixels, how many a plane has, where their bytes are."""

    is_tiled: bool
    width: int
    height: int
    count: int
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    def check_bytes(
        self, file_bytes: int, segment: tuple[int, int], coded: tuple[int, int], planes: int
    ) -> None:
        """Raises BrokenPictureError where uncompressed segments are not all in the file.

        ``segment`` and ``coded`` are bytes of a row and rows, of one segment and of a plane.
        """
        across = 1 if not self.is_tiled else -(-coded[0] // segment[0])
        for index, offset in enumerate(self.offsets[: self.count * planes]):
            left = coded[1] - index % self.count // across * segment[1]
            rows = segment[1] if self.is_tiled else min(segment[1], left)
            if offset + segment[0] * rows > file_bytes:
                raise BrokenPictureError("a TIFF that is shorter than its pixels")
        if coded[0] * coded[1] * planes > file_bytes:
            raise BrokenPictureError("a TIFF that is shorter than its pixels")

    def tags(self, plane: int, row_bytes: int, rows: int) -> dict[int, tuple[int, ...] | bytes]:
        """The tags of one plane's segments, of ``row_bytes`` by ``rows``."""
        part = slice(plane * self.count, (plane + 1) * self.count)
        found: dict[int, tuple[int, ...] | bytes] = {}
        if self.is_tiled:
            found[TILE_WIDTH], found[TILE_HEIGHT] = (row_bytes,), (rows,)
            found[TILE_OFFSETS] = self.offsets[part]
        else:
            found[ROWS_PER_STRIP] = (rows,)
            found[STRIP_OFFSETS] = self.offsets[part]
        if self.lengths:
            found[TILE_BYTES if self.is_tiled else STRIP_BYTES] = self.lengths[part]
        return found


def check(data: bytes, limits: Limits) -> Header:
    """Read the first directory of a TIFF or BigTIFF. Raises PictureError and nothing else."""
    page = first_page(data)
    width, height = page.value(WIDTH, 0), page.value(HEIGHT, 0)
    limits.check_pixels(width, height)
    compression = page.value(COMPRESSION, RAW)
    if compression not in COMPRESSIONS:
        raise UnsupportedPictureError(f"a TIFF of compression {compression}, which is not decoded")
    samples = page.value(SAMPLES, len(page.values(BITS, (1,))))
    if not 1 <= samples <= SAMPLES_LIMIT:
        raise BrokenPictureError(f"a TIFF of {samples} samples; 1..{SAMPLES_LIMIT} are decoded")
    segments = _segments(page, limits, width, height, samples)
    turn = page.metadata(ORIENTATION)
    header = Header(
        format="tiff",
        width=width,
        height=height,
        body=b"",
        pixel_bytes=1,
        orientation=turn[0] if len(turn) == 1 and 1 <= turn[0] <= 8 else UPRIGHT,
        profile=page.raw(PROFILE, limits.profile_limit_bytes),
    )
    has_planes = samples > 1 and page.value(PLANAR, 1) == 2
    if compression in FAX or (compression == JPEG and not has_planes):
        return _painted(header, page, segments, samples)
    return _sampled(header, page, segments, samples)


def _painted(header: Header, page: Directory, segments: _Segments, samples: int) -> Header:
    """A picture that libtiff paints from its own tags: JPEG, whose samples are its own, and fax."""
    bits = set(page.values(BITS, (1,)))
    if page.value(COMPRESSION, RAW) in FAX and (samples > 1 or bits != {1}):
        raise BrokenPictureError("a TIFF of fax that is not of one bit a pixel")
    if len(set(page.values(EXTRA_SAMPLES, (0,)))) > 1:
        raise UnsupportedPictureError("a TIFF of JPEG with several kinds of extra samples")
    tags = segments.tags(0, segments.width, segments.height)
    tags |= {WIDTH: (header.width,), HEIGHT: (header.height,), BITS: (min(bits),) * samples}
    tags |= {SAMPLES: (samples,)}
    for tag in (COMPRESSION, PHOTOMETRIC, FILL_ORDER, PLANAR, T4_OPTIONS, T6_OPTIONS):
        if tag in page.entries:
            tags[tag] = (page.value(tag, 0),)
    for tag in (EXTRA_SAMPLES, YCBCR_SUBSAMPLING):
        if tag in page.entries:
            tags[tag] = page.values(tag, ())
    tags |= _jpeg_tables(page)
    return replace(
        header,
        body=rebuilt(page.data, [tags]),
        pixel_bytes=4 if samples > 1 else 1,
        fixed_bytes=2 * segments.width * segments.height * samples,
    )


def _jpeg_tables(page: Directory) -> dict[int, bytes]:
    tables = page.raw(JPEG_TABLES, JPEG_TABLES_LIMIT)
    return {JPEG_TABLES: tables} if tables else {}


def _sampled(header: Header, page: Directory, segments: _Segments, samples: int) -> Header:
    """A picture whose planes libtiff unpacks as grey bytes, and whose samples are read here."""
    layout = _layout(page, segments, samples)
    compression = page.value(COMPRESSION, RAW)
    down = layout.ycbcr.down
    if down > 1 and segments.height % down and segments.height < header.height:
        raise BrokenPictureError("a TIFF whose strips cut through its units of chroma")
    if segments.is_tiled and segments.width * layout.bits * layout.plane_samples % 8:
        raise BrokenPictureError("a TIFF whose rows of tiles do not end with a byte")
    width = header.width
    if layout.predictor == 3:
        # bytes of one float lie a row of a tile apart: such a row is cut only once they are joined
        width = -(-width // segments.width) * segments.width
    coded = layout.row_bytes(width), layout.stored_rows(header.height)
    segment = layout.row_bytes(segments.width), layout.stored_rows(segments.height)
    planes = layout.samples if layout.is_planar else 1
    if compression == RAW:
        segments.check_bytes(len(page.data), segment, coded, planes)
    common: dict[int, tuple[int, ...] | bytes] = {
        WIDTH: (coded[0],), HEIGHT: (coded[1],), BITS: (8,), COMPRESSION: (compression,),
        PHOTOMETRIC: (1,), SAMPLES: (1,), FILL_ORDER: (page.value(FILL_ORDER, 1),),
    }  # fmt: skip
    if compression == JPEG:
        common |= _jpeg_tables(page)
    # planes that are neither colour nor the alpha are not even unpacked
    kept = _kept_planes(layout) if layout.is_planar else (0,)
    if layout.is_planar:
        alpha_at = len(kept) - 1 if layout.alpha != "none" else 0
        layout = replace(layout, samples=len(kept), alpha_at=alpha_at)
    return replace(
        header,
        body=rebuilt(page.data, [common | segments.tags(plane, *segment) for plane in kept]),
        coded=coded,
        pixel_bytes=len(kept),
        fixed_bytes=2 * segment[0] * segment[1] + piece_bytes(layout, header.width),
        layout=layout,
    )


def _kept_planes(layout: Samples) -> tuple[int, ...]:
    colours = COLOURS.get(layout.meaning, 1)
    return (*range(colours), *([layout.alpha_at] if layout.alpha != "none" else []))


def _layout(page: Directory, segments: _Segments, samples: int) -> Samples:
    """What the samples mean. Raises PictureError for what is not decoded."""
    depths = set(page.values(BITS, (1,))[:samples])
    kinds = set(page.values(SAMPLE_FORMAT, (1,))[:samples])
    if len(depths) > 1 or len(kinds) > 1:
        raise UnsupportedPictureError("a TIFF whose samples are not all of one kind")
    (bits,), kind = depths, KINDS.get(kinds.pop())
    if kind is None or bits not in DEPTHS[kind]:
        raise UnsupportedPictureError(f"a TIFF of {bits} bits a sample of a kind not decoded")
    photometric = page.value(PHOTOMETRIC, 0)
    meaning = MEANINGS.get(photometric)
    if meaning is None:
        raise UnsupportedPictureError(f"a TIFF of photometric interpretation {photometric}")
    colours = COLOURS.get(meaning, 1)
    if samples < colours:
        raise BrokenPictureError(f"a TIFF of {samples} samples where {colours} are colour")
    _check_meaning(page, meaning, bits, kind)
    alpha, alpha_at = _alpha(page, meaning, samples, colours)
    compression = page.value(COMPRESSION, RAW)
    predictor = page.value(PREDICTOR, 1) if compression in PREDICTED else 1
    if predictor not in ({8: {1, 2}}.get(bits, {1, 2, 3} if bits in (16, 32, 64) else {1})):
        raise UnsupportedPictureError(f"a TIFF of predictor {predictor} and {bits} bits a sample")
    if predictor == 3 and kind != "float":
        raise BrokenPictureError("a TIFF with a predictor for floats and samples of none")
    is_planar = page.value(PLANAR, 1) == 2 and samples > 1
    ycbcr = _ycbcr(page) if meaning == "ycbcr" else YCbCr()
    if ycbcr.across * ycbcr.down > 1 and (is_planar or samples > colours or predictor > 1):
        raise UnsupportedPictureError("a TIFF of subsampled colour in planes is not decoded")
    return Samples(
        order=page.order,
        bits=bits,
        kind=kind,
        samples=samples,
        is_planar=is_planar,
        meaning=meaning,
        alpha=alpha,
        alpha_at=alpha_at,
        predictor=predictor,
        tile_width=segments.width,
        palette=_palette(page, bits) if meaning == "palette" else b"",
        ycbcr=ycbcr,
    )


def _check_meaning(page: Directory, meaning: Meaning, bits: int, kind: SampleKind) -> None:
    if meaning in ("ycbcr", "lab", "icclab", "palette") and kind == "float":
        raise UnsupportedPictureError(f"a TIFF of {meaning} in floats is not decoded")
    wanted = {"ycbcr": (8,), "lab": (8, 16), "icclab": (8, 16), "palette": range(1, 17)}
    if bits not in wanted.get(meaning, (bits,)):
        raise UnsupportedPictureError(f"a TIFF of {meaning} in {bits} bits is not decoded")
    if meaning == "cmyk" and page.value(INK_SET, 1) != 1:
        raise UnsupportedPictureError("a TIFF of inks that are not CMYK is not decoded")


def _alpha(page: Directory, meaning: Meaning, samples: int, colours: int) -> tuple[Alpha, int]:
    """What the samples behind the colours are, and which of them is the alpha."""
    extra = samples - colours
    # without the tag, a sample more is taken for alpha; so is a kind that does not exist
    kinds = page.values(EXTRA_SAMPLES, (UNASSOCIATED,))[:extra] if extra else ()
    for index, kind in enumerate(kinds):
        if kind == 0:
            continue
        if meaning in ("cmyk", "lab", "icclab"):
            raise UnsupportedPictureError(f"a TIFF of {meaning} with alpha is not decoded")
        is_premultiplied = kind == ASSOCIATED and meaning != "palette"
        return ("associated" if is_premultiplied else "unassociated"), colours + index
    return "none", 0


def _palette(page: Directory, bits: int) -> bytes:
    """uint8 [colours, 3] of the colour map, whose numbers are of 16 bits, or by mistake of 8."""
    numbers = page.values(COLOUR_MAP, ())
    count = 1 << bits
    if len(numbers) < 3 * count:
        raise BrokenPictureError(f"a TIFF whose palette has not {count} colours")
    palette = np.array(numbers[: 3 * count], np.int64).reshape(3, count)
    shift = 8 if palette.max() > 0xFF else 0
    return (palette >> shift).clip(0, 255).astype(np.uint8).T.tobytes()


def _ycbcr(page: Directory) -> YCbCr:
    across, down = (*page.values(YCBCR_SUBSAMPLING, (2, 2)), 2)[:2]
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise BrokenPictureError(f"a TIFF of YCbCr units of {across} x {down}")
    weights = _ratios(page.metadata(YCBCR_WEIGHTS), 3)
    if not weights or min(weights) <= 0 or abs(sum(weights) - 1) > 0.01:
        weights = YCbCr().weights
    codes = _ratios(page.metadata(YCBCR_CODES), 6)
    if not codes or any(white <= black for black, white in zip(*[iter(codes)] * 2, strict=True)):
        codes = YCbCr().codes
    return YCbCr(across, down, (weights[0], weights[1], weights[2]), codes[:6])  # type: ignore[arg-type]


def _ratios(numbers: tuple[int, ...], count: int) -> tuple[float, ...]:
    """Numbers of rationals, or as they are; none where there are not so many."""
    if len(numbers) == count:
        return tuple(map(float, numbers))
    if len(numbers) != 2 * count or 0 in numbers[1::2]:
        return ()
    return tuple(top / bottom for top, bottom in zip(numbers[::2], numbers[1::2], strict=True))


def _segments(page: Directory, limits: Limits, width: int, height: int, samples: int) -> _Segments:
    """Strips or tiles. Raises PictureError for too many, too large or missing ones."""
    planes = samples if page.value(PLANAR, 1) == 2 else 1
    is_tiled = TILE_WIDTH in page.entries or TILE_OFFSETS in page.entries
    if is_tiled:
        across, down = page.value(TILE_WIDTH, 0), page.value(TILE_HEIGHT, 0)
        tags = TILE_OFFSETS, TILE_BYTES
        # Some writers name tiles by the tags of strips.
        if TILE_OFFSETS not in page.entries and STRIP_OFFSETS in page.entries:
            tags = STRIP_OFFSETS, STRIP_BYTES
    else:
        across, down = width, min(page.value(ROWS_PER_STRIP, height) or height, height)
        tags = STRIP_OFFSETS, STRIP_BYTES
    limits.check_pixels(across, down)
    count = -(-width // across) * -(-height // down)
    check_parts(count * planes, "strips or tiles")
    if tags[0] not in page.entries:
        raise BrokenPictureError("a TIFF that does not say where its pixels are")
    offsets, lengths = page.values(tags[0], ()), page.values(tags[1], ())
    check_parts(len(offsets), "strips or tiles")
    if len(offsets) < count * planes or (lengths and len(lengths) < count * planes):
        raise BrokenPictureError("a TIFF that lacks some of its strips or tiles")
    size = len(page.data)
    if max(offsets) >= size:
        raise BrokenPictureError("a TIFF whose strips or tiles lie outside the file")
    # what is cut off may be behind the pixels: the decoder will tell
    lengths = tuple(
        min(length, size - offset) for offset, length in zip(offsets, lengths, strict=False)
    )
    if lengths and page.value(COMPRESSION, RAW) != RAW:
        final = max(range(len(lengths)), key=lambda index: offsets[index])
        end = offsets[final] + lengths[final]
        check_unfilled(page.data[max(offsets[final], end - FILLING_LIMIT - 1) : end], "a TIFF")
    return _Segments(is_tiled, across, down, count, offsets, lengths)
