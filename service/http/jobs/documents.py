"""What is known of an image: its id, and the JSON that names its streams.

In the store, an image's own facts lie under Key(id, ""), and each codec's under Key(id, codec)
beside its stream (``facts``). The document is put together from what is really there (``stored``),
so it names no stream that has left, and two uploads with different codecs cannot overwrite each
other.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.codec.interface import Codec, Kind, Level
from service.http.jobs.facts import DIGITS, Facts
from service.http.request.signature import signed
from service.pictures import OUTPUTS, PHOTO_OUTPUTS, PIPELINE_VERSION

DOCUMENT = ""
ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class StoredStream:
    """One codec's stream: its facts, and of the stream itself what was asked for, or made."""

    facts: Facts
    stream: bytes | None


@dataclass(frozen=True, slots=True)
class Image:
    """An image: the upright original's size and format, and its streams by codec."""

    id: str
    width: int
    height: int
    format: str
    streams: Mapping[str, StoredStream]


def image_id(key: bytes, background: tuple[int, int, int], data: bytes) -> str:
    """HMAC-SHA256 under ``key`` of all that decides the picture: 128 bits, base32, lower case."""
    mac = hmac.new(key, b"prefixel %d %02x%02x%02x\n" % (PIPELINE_VERSION, *background), "sha256")
    mac.update(data)
    return base64.b32encode(mac.digest()[:ID_BYTES]).decode().rstrip("=").lower()


def document(
    image: Image,
    codecs: Mapping[str, Codec],
    root: str,
    *,
    sign_key: bytes = b"",
    stored: bool = True,
    inline_bytes: int = 0,
) -> Any:
    """The JSON of an image. ``root`` stands before every path, ``sign_key`` signs rasters' URLs.

    ``inline_bytes`` is how much of each stream comes with it at most.
    """
    return {
        "id": image.id,
        "width": image.width,
        "height": image.height,
        "aspect": round(image.width / image.height, 6),
        "format": image.format,
        "stored": stored,
        "codecs": {
            codec: {
                **_stream(codecs[codec], kept, inline_bytes),
                "urls": _urls(image.id, root, codecs[codec], kept.facts.v, sign_key),
            }
            for codec, kept in image.streams.items()
        },
    }


def _urls(id: str, root: str, codec: Codec, v: str, sign_key: bytes) -> dict[str, str]:
    urls = {}
    for output in ("pxl", *(OUTPUTS if codec.kind == "thumb" else PHOTO_OUTPUTS)):
        path, query = f"/v1/images/{id}/{codec.kind}.{output}", f"codec={codec.name}&v={v}"
        urls[output] = f"{root}{path}?{signed(b'' if output == 'pxl' else sign_key, path, query)}"
    return urls


def _stream(codec: Codec, kept: StoredStream, inline_bytes: int) -> dict[str, object]:
    facts = kept.facts
    entry: dict[str, object] = {
        "bytes": facts.total_bytes,
        "v": facts.v,
        "version": facts.version,
        "width": facts.size.width,
        "height": facts.size.height,
        "measured": {"width": facts.measured.width, "height": facts.measured.height},
        "levels": [_level(codec.kind, facts, level) for level in facts.levels],
    }
    if inline_bytes and kept.stream is not None:
        entry["stream"] = base64.b64encode(kept.stream[:inline_bytes]).decode()
    return entry


def _level(kind: Kind, facts: Facts, level: Level) -> dict[str, float]:
    entry: dict[str, float] = {"bytes": level.bytes, "ssim": level.ssim, "psnr": level.psnr}
    if kind == "photo":
        entry["bpp"] = round(8 * level.bytes / facts.size.pixels, DIGITS)
    if level.msssim is not None:
        entry["msssim"] = level.msssim
    return entry


_LEVEL = {
    "type": "object",
    "required": ["bytes", "ssim", "psnr"],
    "properties": {
        "bytes": {"type": "integer"},
        "ssim": {"type": "number"},
        "psnr": {"type": "number"},
        "bpp": {"type": "number", "description": "Bits a pixel of the stored photo"},
        "msssim": {"type": "number", "description": "Absent under 161 pixels a side"},
    },
}
_SIZE = {
    "type": "object",
    "required": ["width", "height"],
    "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}},
}
_STREAM = {
    "type": "object",
    "required": ["bytes", "v", "version", "width", "height", "measured", "levels", "urls"],
    "properties": {
        "bytes": {"type": "integer", "description": "Length of the whole stream"},
        "v": {"type": "string", "description": "First 8 hex digits of the stream's SHA-256"},
        "version": {"type": "integer", "description": "Version of the codec that made it"},
        "width": {"type": "integer", "description": "Of the picture as it was encoded, in pixels"},
        "height": {"type": "integer"},
        "measured": {**_SIZE, "description": "The resolution at which levels were measured"},
        "levels": {"type": "array", "items": _LEVEL},
        "urls": {"type": "object", "additionalProperties": {"type": "string"}},
        "stream": {
            "type": "string",
            "contentEncoding": "base64",
            "description": "The stream, or its first bytes where it is longer than may come inline",
        },
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "width", "height", "aspect", "format", "stored", "codecs"],
    "properties": {
        "id": {"type": "string"},
        "width": {"type": "integer", "description": "Of the upright original, in pixels"},
        "height": {"type": "integer"},
        "aspect": {"type": "number", "description": "width / height"},
        "format": {"type": "string"},
        "stored": {
            "type": "boolean",
            "description": "false: the cache is away, or holds a later version; keep yours",
        },
        "codecs": {"type": "object", "additionalProperties": _STREAM},
    },
}
