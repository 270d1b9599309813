"""BMP: masks of any place and width, compression 6, palettes that say more than there is."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from service.errors import BrokenPictureError
from service.pictures import Limits, Opener
from tests.support.variants import photo

OPENER = Opener(Limits())
SIDE, BACKGROUND = 30, (0, 200, 90)
RED, GREEN, BLUE, ALPHA = range(4)

MASKS = {
    "565": (16, 0xF800, 0x07E0, 0x001F, 0),
    "555": (16, 0x7C00, 0x03E0, 0x001F, 0),
    "1555": (16, 0x7C00, 0x03E0, 0x001F, 0x8000),
    "444": (16, 0x0F00, 0x00F0, 0x000F, 0),
    "4444": (16, 0x0F00, 0x00F0, 0x000F, 0xF000),
    "332": (16, 0xE0, 0x1C, 0x03, 0),
    "bgrx": (32, 0xFF00, 0xFF0000, 0xFF000000, 0),
    "xbgr": (32, 0xFF, 0xFF00, 0xFF0000, 0),
    "argb": (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    "rgba": (32, 0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    "1010102": (32, 0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000),
    "red-alone": (32, 0xFF, 0, 0, 0),
    "one-bit": (32, 0x80000000, 1, 0x100, 0),
}


def bmp(
    channels: np.ndarray,
    depth: int,
    masks: tuple[int, ...],
    header: int,
    compression: int,
    upwards: bool = True,
) -> bytes:
    """Uint8 RGBA as the nearest values under the masks."""
    pixels = np.zeros((SIDE, SIDE), np.uint64)
    for index, mask in enumerate(masks):
        if mask:
            shift = (mask & -mask).bit_length() - 1
            values = np.rint(channels[:, :, index] * ((mask >> shift) / 255)).astype(np.uint64)
            pixels |= values << np.uint64(shift)
    rows = pixels.astype(f"<u{depth // 8}")
    padding = bytes(-rows.nbytes // SIDE % 4)
    lines = [row.tobytes() + padding for row in (rows[::-1] if upwards else rows)]
    count = 4 if compression == 6 else 3
    head = struct.pack(
        "<IiiHHIIiiII", header, SIDE, SIDE if upwards else -SIDE, 1, depth, compression,
        sum(map(len, lines)), 0, 0, 0, 0,
    )  # fmt: skip
    fields = struct.pack("<4I", *masks)
    head += fields[: 4 * count] if header == 40 else fields.ljust(header - 40, b"\0")
    head = head[: max(header, 40 + 4 * count * (header == 40))]
    offset = 14 + len(head)
    body = b"".join(lines)
    return struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset) + head + body


def pixels() -> np.ndarray:
    fade = np.tile(np.linspace(0, 255, SIDE).astype(np.uint8), (SIDE, 1))
    return np.dstack((np.asarray(photo(SIDE, SIDE)), fade))


def wanted(masks: tuple[int, ...], has_alpha: bool) -> np.ndarray:
    levels = []
    for index, mask in enumerate(masks):
        white = mask >> max(0, (mask & -mask).bit_length() - 1)
        channel = pixels()[:, :, index] / 255
        levels.append(np.rint(np.rint(channel * white) * (255 / white)) if white else channel * 0)
    rgb = np.dstack(levels[:3])
    if not has_alpha or not masks[ALPHA]:
        return rgb
    share = levels[ALPHA][:, :, None] / 255
    return rgb * share + np.array(BACKGROUND) * (1 - share)


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
@pytest.mark.parametrize("compression", [3, 6])
@pytest.mark.parametrize("upwards", [True, False])
def test_masks(name: str, header: int, compression: int, upwards: bool) -> None:
    depth, *masks = MASKS[name]
    if header == 52:
        compression = 3
    upload = bmp(pixels(), depth, tuple(masks), header, compression, upwards)
    found = OPENER.open(upload, size=SIDE, background=BACKGROUND)
    has_alpha = compression == 6 or header >= 56
    assert (found.width, found.height) == (SIDE, SIDE)
    assert np.abs(found.rgb - wanted(tuple(masks), has_alpha)).max() <= 2


def test_an_alpha_that_is_zero_everywhere_is_none() -> None:
    depth, *masks = MASKS["argb"]
    clear = pixels()
    clear[:, :, ALPHA] = 0
    found = OPENER.open(bmp(clear, depth, tuple(masks), 124, 3), size=SIDE)
    assert (found.rgb == clear[:, :, :3]).all()


def test_masks_with_gaps_are_refused() -> None:
    upload = bmp(pixels(), 32, (0xFF, 0xFF00, 0xFF0000, 0), 40, 3)
    damaged = upload.replace(struct.pack("<I", 0xFF00), struct.pack("<I", 0xF0F00))
    with pytest.raises(BrokenPictureError, match="gaps"):
        OPENER.open(damaged)


@pytest.mark.parametrize("depth", [1, 4, 8])
@pytest.mark.parametrize("extra", [0, 1, 240, 3000])
def test_a_palette_that_says_more_than_pixels_can_name(depth: int, extra: int) -> None:
    colours = 2**depth
    random = np.random.default_rng(depth)
    palette = random.integers(0, 256, (colours + extra, 4), dtype=np.uint8)
    indices = random.integers(0, colours, (SIDE, SIDE))
    bits = (indices[:, :, None] >> np.arange(depth - 1, -1, -1) & 1).astype(np.uint8)
    rows = [row.tobytes() for row in np.packbits(bits.reshape(SIDE, -1), axis=1)]
    body = b"".join(row + bytes(-len(row) % 4) for row in rows[::-1])
    head = struct.pack(
        "<IiiHHIIiiII", 40, SIDE, SIDE, 1, depth, 0, len(body), 0, 0, colours + extra, 0
    )
    offset = 14 + 40 + palette.nbytes
    start = struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset)
    found = OPENER.open(start + head + palette.tobytes() + body, size=SIDE)
    assert (found.rgb == palette[indices][:, :, 2::-1]).all()
