"""Small uploads that promise a lot are refused, or opened, for little memory and little time.

Memory is the growth of the process's peak, in a thread that does nothing else; time is told of
the processor, in units of opening an ordinary small photo, with a wide margin.
"""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from service.errors import BrokenPictureError, PictureError, PictureTooLargeError
from service.pictures import Limits, Opener
from service.pictures.limits import PARTS_LIMIT
from service.pictures.probe.boxes import boxes
from tests.support.photos import encoded
from tests.support.variants import png, png_chunk, rle8_bmp, variants

OPENER = Opener(Limits())
LITTLE_BYTES = 24 * 2**20
SMALL_PHOTOS = 400
"""Times an ordinary small photo: generous, as a full decode of these bombs takes thousands."""


def peak_growth(work: Callable[[], None]) -> int:
    """By how many bytes the process's peak grew while ``work`` ran. Linux only."""
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")

    def read(name: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    try:
        clear.write_text("5")
    except OSError:
        pytest.skip("the peak of the memory cannot be reset on this system")
    before = read("VmRSS")
    work()
    return read("VmHWM") - before


@pytest.fixture(scope="module")
def small_photo_seconds() -> float:
    upload, times = encoded("jpeg"), []
    for _ in range(20):
        began = time.process_time()
        OPENER.open(upload)
        times.append(time.process_time() - began)
    return sorted(times)[10]


def large_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """100 kB of deflated zeros under a header of 3.6 gigapixels."""
    return png(width, height, 8, 2, bytes(100 * 2**20))


def inflating_chunk(kind: bytes, head: bytes) -> bytes:
    return png_chunk(kind, head + zlib.compress(bytes(100 * 2**20), 9))


def animated_png(frames: int) -> bytes:
    """An APNG whose later frames claim more than the canvas."""
    row = b"\0" + b"\x80" * 48
    more = [png_chunk(b"acTL", struct.pack(">II", frames, 0))]
    body = png(16, 16, 8, 2, row * 16, *more)
    frame = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, 2**30, 2**30, 0, 0, 1, 1, 0, 0))
    return body[:-12] + frame * frames + body[-12:]


def jpeg_of_scans(scans: int, width: int = 96, height: int = 64) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    body = resized_jpeg(width, height, progressive=True)
    last = body.rindex(b"\xff\xda")
    return body[:last] + body[last:-2] * (scans + 1) + body[-2:]


def resized_jpeg(width: int, height: int, **options: object) -> bytes:
    """A small JPEG whose frame header claims another size."""
    body = bytearray(encoded("jpeg", **options))
    frame = body.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    body[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(body)


def patched(format: str, name: str, old: bytes, new: bytes) -> bytes:
    body = variants(format)[name]
    assert old in body
    return body.replace(old, new)


def gif_of_comments(count: int) -> bytes:
    body = variants("gif")["plain"]
    at = 13 + 3 * 2 ** ((body[10] & 7) + 1)
    return body[:at] + b"\x21\xfe" + b"\x01x" * count + b"\0" + body[at:]


def gif_over_its_screen(screen: int = 96) -> bytes:
    body = bytearray(variants("gif")["plain"])
    body[6:8] = struct.pack("<H", screen)
    at = body.index(b",", 13 + 3 * 2 ** ((body[10] & 7) + 1))
    body[at + 1 : at + 9] = struct.pack("<HHHH", 60_000, 60_000, 96, 64)
    return bytes(body)


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A little-endian TIFF of one directory: tag, type, count, value."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", following)


def tiff_page(width: int, height: int, *more: tuple[int, int, int, int]) -> bytes:
    entries = {256: (256, 4, 1, width), 257: (257, 4, 1, height), 258: (258, 3, 1, 8)}
    entries |= {259: (259, 3, 1, 8), 262: (262, 3, 1, 1)}
    entries |= {entry[0]: entry for entry in more}
    return tiff(*entries.values(), following=8) + bytes(1000)


def tiff_of_samples(width: int, height: int, samples: int, bits: int, planar: int = 1) -> bytes:
    """A deflated TIFF of a few bytes whose samples would take gigabytes."""
    return tiff_page(
        width, height, (258, 3, 1, bits), (277, 3, 1, samples), (262, 3, 1, 2), (284, 3, 1, planar),
        (273, 4, samples if planar == 2 else 1, 8), (279, 4, samples if planar == 2 else 1, 9),
        (339, 3, 1, 1),
    )  # fmt: skip


def masked_bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)
    return struct.pack("<2sIHHI", b"BM", 66, 0, 0, 66) + head + masks + bytes(1000)


def av1_of_another_size(width: int, height: int) -> bytes:
    """An AVIF that says 96 x 64 in its boxes, and something larger in its bitstream."""
    body = bytearray(variants("avif")["plain"])
    larger = io.BytesIO()
    Image.new("RGB", (width, height)).save(larger, "AVIF", speed=10)
    other = larger.getvalue()
    spot = body.index(struct.pack(">II", 96, 64))
    there = other.index(struct.pack(">II", width, height))
    return other[:there] + bytes(body[spot : spot + 8]) + other[there + 8 :]


def avif_of_repeated_frames(count: int) -> bytes:
    """An AVIF whose one item holds its frame again and again."""
    body = variants("avif")["plain"]
    media = next(box for box in boxes(body, 0, len(body)) if box.kind == b"mdat")
    frames = body[media.start : media.end] * count
    length = struct.pack(">I", media.end - media.start)
    head = body[: media.at].replace(length, struct.pack(">I", len(frames)))
    return head + struct.pack(">I4s", len(frames) + 8, b"mdat") + frames


def hevc_grid_of_one_tile() -> bytes:
    """A HEIC of twelve tiles whose canvas is said to be of four gigapixels."""
    return patched("heic", "tiles", struct.pack(">II", 200, 136), struct.pack(">II", 65535, 65535))


REFUSED: dict[str, Callable[[], bytes]] = {
    "png-pixels": large_png,
    "png-empty": lambda: png(8000, 8000, 8, 6, b""),
    "png-chunks": lambda: png(1, 1, 8, 0, b"\0\0", png_chunk(b"teXt", b"") * (PARTS_LIMIT + 9)),
    "jpeg-pixels": lambda: resized_jpeg(65_000, 65_000),
    "jpeg-scans": lambda: jpeg_of_scans(100),
    "jpeg-scan-pixels": lambda: jpeg_of_scans(30, 8000, 7900),
    "jpeg-segments": lambda: b"\xff\xd8" + b"\xff\xe1\0\2" * 1_000_000,
    "jpeg-fill": lambda: b"\xff\xd8" + b"\xff" * 4_000_000,
    "jpeg-tables": lambda: b"\xff\xd8" + (b"\xff\xdb\xff\xff" + bytes(65_533)) * 200,
    "gif-pixels": lambda: b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b",",
    "gif-over-screen": gif_over_its_screen,
    "gif-blocks": lambda: gif_of_comments(4_000_000),
    "webp-pixels": lambda: patched(
        "webp", "animated", struct.pack("<I", 95)[:3] + struct.pack("<I", 63)[:3], b"\xff\x3f\0" * 2
    ),
    "bmp-pixels": lambda: patched(
        "bmp", "rgb", struct.pack("<II", 96, 64), struct.pack("<II", 2**30, 2**30)
    ),
    "bmp-short": lambda: patched(
        "bmp", "rgb", struct.pack("<II", 96, 64), struct.pack("<II", 8000, 7900)
    ),
    "bmp-runs": lambda: rle8_bmp(200, 300_000),
    "bmp-run-pixels": lambda: patched(
        "bmp", "runs", struct.pack("<II", 96, 64), struct.pack("<II", 60_000, 1000)
    ),
    "tiff-pixels": lambda: tiff_page(100_000, 100_000, (273, 4, 1, 8), (279, 4, 1, 9)),
    "tiff-tile": lambda: tiff_page(
        16, 16, (322, 4, 1, 2**31), (323, 4, 1, 2**31), (324, 4, 1, 8), (325, 4, 1, 9)
    ),
    "tiff-tiles": lambda: tiff_page(
        8000, 7900, (322, 4, 1, 1), (323, 4, 1, 1), (324, 4, 1, 8), (325, 4, 1, 9)
    ),
    "tiff-tags": lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(12 * 65_535),
    "tiff-samples": lambda: tiff_of_samples(8000, 7900, 6, 64),
    "tiff-planes": lambda: tiff_of_samples(8000, 7900, 6, 64, planar=2),
    "tiff-row": lambda: tiff_of_samples(60_000_000, 1, 3, 64),
    "tiff-wide-tile": lambda: tiff_page(
        1,
        7900,
        (258, 3, 1, 32),
        (317, 3, 1, 3),
        (339, 3, 1, 3),
        (322, 4, 1, 60_000_000),
        (323, 4, 1, 1),
        (324, 4, 7900, 8),
        (325, 4, 7900, 8),
    ),
    "tiff-values": lambda: tiff_page(8, 8, (320, 3, 2**31, 8), (262, 3, 1, 3), (273, 4, 1, 8)),
    "tiff-strip-values": lambda: tiff_page(8, 8, (273, 4, 2**20, 8)) + bytes(2**23),
    "bmp-masks-short": lambda: masked_bmp(8000, 7900),
    "bmp-masks-pixels": lambda: masked_bmp(2**30, 2**30),
    "gif-far-frame": lambda: gif_over_its_screen(screen=0),
    "png-cut-pixels": lambda: large_png(8000, 7900)[:-2000],
    "jpeg-open-scans": lambda: jpeg_of_scans(12, 8000, 7900)[:-2],
    "avif-pixels": lambda: patched(
        "avif", "plain", struct.pack(">II", 96, 64), struct.pack(">II", 65_535, 65_535)
    ),
    "heic-canvas": hevc_grid_of_one_tile,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_is_refused_for_nothing(name: str, small_photo_seconds: float) -> None:
    bomb, took = REFUSED[name](), [0.0]

    def work() -> None:
        began = time.process_time()
        with pytest.raises((PictureTooLargeError, BrokenPictureError)) as caught:
            OPENER.open(bomb)
        took[0] = time.process_time() - began
        assert caught.value.status == 422

    assert peak_growth(work) < LITTLE_BYTES + 2 * len(bomb)
    assert took[0] < SMALL_PHOTOS * small_photo_seconds + 0.2


def test_a_png_over_the_limit_in_100_kb_says_its_size() -> None:
    bomb = large_png()
    assert 90_000 < len(bomb) < 120_000
    with pytest.raises(PictureTooLargeError, match="3600000000 pixels; the limit is 64000000"):
        OPENER.open(bomb)


OPENED: dict[str, Callable[[], bytes]] = {
    "png-profile": lambda: png(1, 1, 8, 0, b"\0\0", inflating_chunk(b"iCCP", b"name\0\0")),
    "png-ztxt": lambda: png(1, 1, 8, 0, b"\0\0", inflating_chunk(b"zTXt", b"name\0\0") * 10),
    "png-itxt": lambda: png(1, 1, 8, 0, b"\0\0", inflating_chunk(b"iTXt", b"n\0\1\0\0\0") * 10),
    "png-animated": lambda: animated_png(60_000),
    "png-after-the-last-row": lambda: png(1, 1, 8, 0, bytes(100 * 2**20)),
    "gif-comments": lambda: gif_of_comments(60_000),
}


@pytest.mark.parametrize("name", OPENED)
def test_what_a_bomb_hides_behind_its_picture_costs_nothing(
    name: str, small_photo_seconds: float
) -> None:
    bomb, took = OPENED[name](), [0.0]

    def work() -> None:
        began = time.process_time()
        OPENER.open(bomb)
        took[0] = time.process_time() - began

    assert peak_growth(work) < LITTLE_BYTES + 2 * len(bomb)
    assert took[0] < SMALL_PHOTOS * small_photo_seconds + 0.2


def test_a_tiff_whose_directories_form_a_ring_is_its_first_page() -> None:
    body = bytearray(variants("tiff")["pages"])
    (start,) = struct.unpack_from("<I", body, 4)
    (count,) = struct.unpack_from("<H", body, start)
    struct.pack_into("<I", body, start + 2 + 12 * count, start)
    wanted = OPENER.open(variants("tiff")["pages"]).rgb
    assert (OPENER.open(bytes(body)).rgb == wanted).all()


def test_a_gif_whose_frame_reaches_over_its_screen_is_as_large_as_both() -> None:
    body = bytearray(variants("gif")["plain"])
    at = body.index(b",", 13 + 3 * 2 ** ((body[10] & 7) + 1))
    body[at + 1 : at + 5] = struct.pack("<HH", 30, 20)
    picture = OPENER.open(bytes(body))
    assert (picture.width, picture.height) == (126, 84)


def test_an_avif_counts_the_pixels_of_its_bitstream_and_not_its_promise() -> None:
    with pytest.raises(PictureTooLargeError):
        Opener(Limits(pixel_limit=96 * 64)).open(av1_of_another_size(800, 600))
    assert Opener(Limits(pixel_limit=96 * 64)).open(variants("avif")["plain"]).width == 96


def test_frames_that_are_never_shown_are_counted() -> None:
    with pytest.raises(PictureTooLargeError, match="tiles and layers"):
        Opener(Limits(pixel_limit=96 * 64)).open(avif_of_repeated_frames(10))


def test_a_heic_counts_the_pixels_of_its_bitstream_and_not_its_promise() -> None:
    upload = variants("heic")["plain"].replace(struct.pack(">II", 96, 64), struct.pack(">II", 8, 8))
    with pytest.raises(PictureTooLargeError):
        Opener(Limits(pixel_limit=64)).open(upload)


def test_tiles_are_counted_as_often_as_they_are_painted() -> None:
    upload, limits = variants("heic")["tiles"], Limits(pixel_limit=200 * 136)
    assert Opener(limits).open(upload).width == 200
    # the same grid, its twelve tiles of 64 x 64 now said to be larger than they are drawn
    larger = upload.replace(struct.pack(">II", 64, 64), struct.pack(">II", 160, 160))
    with pytest.raises(PictureTooLargeError, match="tiles and layers"):
        Opener(limits).open(larger)


def test_a_picture_that_needs_more_memory_than_there_is_is_refused() -> None:
    upload = encoded("png", Image.new("RGB", (2000, 2000)))
    with pytest.raises(PictureTooLargeError, match="bytes of memory"):
        Opener(Limits(decode_memory_bytes=2**20)).open(upload)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "tiff", "bmp", "avif", "heic"])
def test_the_limit_is_exact_in_every_format(format: str) -> None:
    upload = encoded(format, Image.new("RGB", (96, 64), (9, 99, 9)))
    assert Opener(Limits(pixel_limit=96 * 64)).open(upload).width == 96
    with pytest.raises(PictureTooLargeError):
        Opener(Limits(pixel_limit=96 * 64 - 1)).open(upload)


def damaged_lengths(body: bytes) -> Iterator[bytes]:
    """Four bytes of the head set to the largest number, one place at a time."""
    for at in range(0, min(len(body), 500), 3):
        yield body[:at] + b"\xff\xff\xff\xff" + body[at + 4 :]


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "tiff", "bmp", "avif", "heic"])
def test_no_length_in_a_head_costs_memory(format: str) -> None:
    uploads = [upload for body in variants(format).values() for upload in damaged_lengths(body)]

    def work() -> None:
        for upload in uploads:
            with suppress(PictureError):
                OPENER.open(upload)

    # a picture of up to 64 megapixels may be what the damaged header says: that is within limits
    assert peak_growth(work) < OPENER.limits.decode_memory_bytes
