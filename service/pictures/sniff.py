"""Tells a picture's format from its first bytes, never from a name or a content type."""

from __future__ import annotations

from service.errors import CodecError, UnsupportedPictureError

FORMATS = ("jpeg", "png", "webp", "avif", "gif", "tiff", "bmp", "heic")
"""Every format that ``sniff`` can answer."""

NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "avif": "AVIF", "gif": "GIF", "tiff": "TIFF"}
NAMES |= {"bmp": "BMP", "heic": "HEIC"}

AVIF_BRANDS = frozenset((b"avif", b"avis"))
HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""TIFF and BigTIFF in both byte orders."""


def sniff(data: bytes) -> str:
    """One of FORMATS. Looks at 264 bytes at most; raises UnsupportedPictureError."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if data[:4] in TIFF_MAGIC:
        return "tiff"
    if data[4:8] == b"ftyp" and (found := _brand(data)):
        return found
    # two letters are weak evidence: the size of the header that follows must be one that exists
    if data[:2] == b"BM" and data[14:18] in _BMP_HEADERS:
        return "bmp"
    raise UnsupportedPictureError(
        "the bytes are not JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP or HEIC", accepted=list(FORMATS)
    )


def instead_of_stream(data: bytes, error: CodecError) -> CodecError:
    """What to say of bytes that are no stream: that they are a picture, where they are one."""
    try:
        found = sniff(data)
    except UnsupportedPictureError:
        return error
    return CodecError(f"this is a {NAMES[found]} file, not a stream: encode it first")


_BMP_HEADERS = tuple(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))


def _brand(data: bytes) -> str:
    """avif, heic or nothing, from the brands of an ISO base media file."""
    end = min(int.from_bytes(data[:4], "big"), 264)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if brands & AVIF_BRANDS:
        return "avif"
    return "heic" if brands & HEIC_BRANDS else ""
