"""Checks a JPEG: size, scans and segments; keeps what a decoder needs, drops all metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from service.errors import BrokenPictureError, PictureTooLargeError
from service.pictures.exif import orientation
from service.pictures.jpeg_ends import CHECK_DECODES
from service.pictures.limits import FILLING_LIMIT, WORK_FACTOR, Limits, check_parts, cut, unpack
from service.pictures.probe.header import Header
from service.pictures.probe.jpeg_scans import is_complete

SOI, EOI, SOS, DHT, DAC, DQT, DRI = 0xD8, 0xD9, 0xDA, 0xC4, 0xCC, 0xDB, 0xDD
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
FRAMES = {0xC0: False, 0xC1: False, 0xC2: True, 0xC9: False, 0xCA: True}
"""Frame markers that are decoded -> whether they are progressive."""
OTHER_FRAMES = frozenset((0xC3, 0xC5, 0xC6, 0xC7, 0xC8, 0xCB, 0xCD, 0xCE, 0xCF, 0xDE))
STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))
TABLES = frozenset((DHT, DAC, DQT, DRI))
HEAD_LIMIT_BYTES = 2**18
"""Tables before the first scan; real ones take about a thousand bytes."""

# One byte of fill at a time: `\xff+` would make a run of fill bytes quadratic.
MARKER = re.compile(rb"\xff[\x01-\xfe]")
AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


@dataclass(slots=True)
class _Head:
    """The segments before the first scan."""

    kept: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])
    frame: bytes = b""
    progressive: bool = False
    exif: bytes = b""
    icc: dict[int, bytes] = field(default_factory=dict)
    icc_count: int = 0
    marked: set[int] = field(default_factory=set)

    def take(self, marker: int, payload: bytes) -> None:
        """Sort one segment: keep, remember or drop it."""
        if marker in FRAMES:
            if self.frame:
                raise BrokenPictureError("a JPEG with two frames")
            self.frame, self.progressive = payload, FRAMES[marker]
        elif marker in OTHER_FRAMES:
            raise BrokenPictureError("lossless and hierarchical JPEG are not decoded")
        elif marker == APP1 and payload[:6] == b"Exif\0\0":
            self.exif = self.exif or payload
            return
        elif marker == APP2 and payload[:12] == b"ICC_PROFILE\0" and len(payload) > 14:
            self.icc[payload[12]] = payload[14:]
            self.icc_count = payload[13]
            return
        elif marker == APP0 and payload[:5] == b"JFIF\0":
            # the colour conversion depends on it; its thumbnail does not
            payload = payload[:12] + b"\0\0"
            if APP0 in self.marked:
                return
        elif marker == APP14 and payload[:5] == b"Adobe":
            payload = payload[:12]
            if APP14 in self.marked:
                return
        elif marker not in TABLES:
            return
        self.marked.add(marker)
        self.kept.append(bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload)

    def profile(self, limit_bytes: int) -> bytes:
        """The ICC profile from its numbered parts; empty when one is missing or it is too long."""
        if sorted(self.icc) != list(range(1, self.icc_count + 1)):
            return b""
        whole = b"".join(self.icc[number] for number in sorted(self.icc))
        return whole if len(whole) <= limit_bytes else b""


def check(data: bytes, limits: Limits) -> Header:
    """Walk the markers of a whole JPEG. Raises PictureError and nothing else."""
    head, start = _head(data)
    if len(head.frame) < 6:
        raise BrokenPictureError("a JPEG whose frame header is missing or cut")
    depth, height, width, count = unpack(">BHHB", head.frame, 0)
    pixels = limits.check_pixels(width, height)
    if depth != 8:
        raise BrokenPictureError(f"a JPEG of {depth} bits a sample; 8 are decoded")
    if count not in (1, 3, 4):
        raise BrokenPictureError(f"a JPEG of {count} components; 1, 3 or 4 are decoded")
    (in_first_scan,) = unpack(">B", data, start + 4)
    end, scans, is_closed = _scans(data, start, limits.scan_limit)
    work_limit = WORK_FACTOR * limits.pixel_limit
    if scans * pixels > work_limit:
        raise PictureTooLargeError(
            f"{scans} scans of {pixels} pixels; the limit is {work_limit}",
            scans=scans,
            pixels=pixels,
        )
    if head.progressive and not is_complete(data, start, end, head.frame):
        raise BrokenPictureError("a progressive JPEG that lacks some of its scans")
    last = end - 2 * is_closed
    is_doubtful = not is_closed or not any(data[max(start, last - FILLING_LIMIT) : last])
    is_checkable = CHECK_DECODES * scans * pixels <= work_limit
    if is_doubtful and not is_checkable:
        raise BrokenPictureError(f"a JPEG of {scans} scans whose end is not marked")
    # libjpeg keeps every coefficient (2 bytes) of a picture whose components come in several scans
    is_buffered = head.progressive or in_first_scan < count
    return Header(
        format="jpeg",
        width=width,
        height=height,
        body=b"".join((*head.kept, data[start:end], b"" if is_closed else b"\xff\xd9")),
        pixel_bytes=1 if count == 1 else 4,
        fixed_bytes=int(2 * pixels * _samples_a_pixel(head.frame, count)) if is_buffered else 0,
        orientation=orientation(head.exif),
        profile=head.profile(limits.profile_limit_bytes),
        # at a lower scale the last scan of a progressive picture, if it is cut, may not show
        scalable=not (is_doubtful and head.progressive),
        is_doubtful=is_doubtful,
        is_closed=is_closed,
        # of a progressive picture the scans were seen to be complete
        is_checkable=is_checkable and not head.progressive,
    )


def _head(data: bytes) -> tuple[_Head, int]:
    """The segments before the first scan, and where its marker stands."""
    head, at, parts, kept_bytes = _Head(), 2, 0, 0
    while match := MARKER.search(data, at):
        parts += 1
        check_parts(parts, "segments before the first scan")
        marker, at = data[match.end() - 1], match.end()
        if marker == SOS:
            return head, match.start()
        if marker in (SOI, EOI):
            break
        if marker in STANDALONE:
            continue
        (length,) = unpack(">H", data, at)
        head.take(marker, cut(data, at + 2, length - 2))
        at += length
        if marker in TABLES:
            kept_bytes += length
            if kept_bytes > HEAD_LIMIT_BYTES:
                raise PictureTooLargeError(f"more than {HEAD_LIMIT_BYTES} bytes of JPEG tables")
    raise BrokenPictureError("a JPEG without a scan")


def _scans(data: bytes, start: int, scan_limit: int) -> tuple[int, int, bool]:
    """Where the picture ends, how many scans it has, whether its end is marked.

    Raises PictureTooLargeError for too many, BrokenPictureError for two pictures in one.
    """
    at, scans, parts = start, 0, 0
    while match := AFTER_SCAN.search(data, at):
        parts += 1
        check_parts(parts, "segments between scans")
        marker, at = data[match.end() - 1], match.end()
        if marker == EOI:
            return at, scans, True
        if marker == SOI or marker in FRAMES or marker in OTHER_FRAMES:
            raise BrokenPictureError("a JPEG whose picture begins twice")
        if marker == SOS:
            scans += 1
            if scans > scan_limit:
                raise PictureTooLargeError(
                    f"more than {scan_limit} scans in a JPEG", limit=scan_limit
                )
        if marker not in STANDALONE:
            (length,) = unpack(">H", data, at)
            at += max(length, 2)
    return len(data), scans, False


def _samples_a_pixel(frame: bytes, count: int) -> float:
    """Samples of all components for each pixel: 3 for 4:4:4, 1.5 for 4:2:0."""
    factors = [divmod(unpack(">B", frame, 7 + 3 * index)[0], 16) for index in range(count)]
    if any(not (1 <= across <= 4 and 1 <= down <= 4) for across, down in factors):
        raise BrokenPictureError("a JPEG with a sampling factor outside 1..4")
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return float(sum(across * down for across, down in factors) / most)
