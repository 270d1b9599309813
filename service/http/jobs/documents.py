"""What is known of an image: its id, what the store keeps of it, and the JSON that says so.

In the store, an image's own facts lie beside an empty stream under Key(id, ""), and each codec's
under Key(id, codec) beside its stream. The document is put together from what is really there, so
it names no stream that has left, and two uploads with different codecs cannot overwrite each other.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.cache import Key, Store
from service.codec.header import HEADER_BYTES, parse_header
from service.codec.interface import Encoded, Level
from service.http.protocol.queries import BYTES, PSNR_LIMIT
from service.pictures import OUTPUTS, PIPELINE_VERSION, Picture

DOCUMENT = ""
ID_BYTES = 16
DIGITS = 4


class ForeignMetaError(ValueError):
    """What lies beside a stream was written by something else, or by another version of this."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one stream; ``levels`` ascend in bytes."""

    v: str
    version: int
    total_bytes: int
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class StoredStream:
    """One codec's stream: its facts, and the stream itself where it was read whole."""

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


def facts_of(encoded: Encoded, v: str) -> Facts:
    """The facts of a stream that was just made; a PSNR beyond the bound (no loss) is the bound."""
    levels = tuple(
        Level(
            one.bytes,
            round(one.ssim, DIGITS),
            round(min(one.psnr, PSNR_LIMIT), DIGITS),
            None if one.msssim is None else round(one.msssim, DIGITS),
        )
        for one in encoded.levels or ()
    )
    return Facts(v, parse_header(encoded.stream).version, len(encoded.stream), levels)


def write_facts(facts: Facts) -> bytes:
    """For ``Store.put``, beside the stream."""
    levels = [[level.bytes, level.ssim, level.psnr, level.msssim] for level in facts.levels]
    return json.dumps([facts.v, facts.version, facts.total_bytes, levels]).encode()


def read_facts(meta: bytes) -> Facts:
    """What ``write_facts`` wrote. Raises ForeignMetaError."""
    try:
        v, version, total_bytes, levels = json.loads(meta)
        return Facts(v, version, total_bytes, tuple(Level(*level) for level in levels))
    except (ValueError, TypeError) as foreign:
        raise ForeignMetaError("not the facts of a stream") from foreign


def _read_image(meta: bytes) -> tuple[int, int, str]:
    try:
        width, height, format = json.loads(meta)
    except (ValueError, TypeError) as foreign:
        raise ForeignMetaError("not the facts of an image") from foreign
    return width, height, format


def write_image(picture: Picture) -> bytes:
    """For ``Store.put`` under Key(id, DOCUMENT)."""
    return json.dumps([picture.width, picture.height, picture.format]).encode()


async def load_image(
    store: Store, id: str, codecs: Sequence[str], *, with_streams: bool = False
) -> Image | None:
    """What the store keeps of an image and these codecs; None when it knows nothing of it.

    Raises CacheUnavailableError.
    """
    own = await store.meta(Key(id, DOCUMENT))
    if own is None:
        return None
    length = BYTES.stop if with_streams else HEADER_BYTES
    prefixes = await store.many([Key(id, codec) for codec in codecs], length)
    streams = {}
    try:
        width, height, format = _read_image(own)
        for codec, prefix in zip(codecs, prefixes, strict=True):
            meta = None if prefix is None else await store.meta(Key(id, codec))
            if prefix is None or meta is None:
                continue
            facts = read_facts(meta)
            if facts.v == prefix.v:
                is_whole = len(prefix.data) == prefix.total_bytes
                streams[codec] = StoredStream(facts, prefix.data if is_whole else None)
    except ForeignMetaError:
        return None
    return Image(id, width, height, format, streams)


def document(image: Image, root: str, *, stored: bool = True, inline: bool = False) -> Any:
    """The JSON of an image. ``root`` stands before every path; ``inline`` adds the streams."""
    return {
        "id": image.id,
        "width": image.width,
        "height": image.height,
        "aspect": round(image.width / image.height, 6),
        "format": image.format,
        "stored": stored,
        "codecs": {
            codec: _stream(f"{root}/v1/images/{image.id}", codec, kept, inline)
            for codec, kept in image.streams.items()
        },
    }


def _stream(base: str, codec: str, kept: StoredStream, inline: bool) -> dict[str, object]:
    facts = kept.facts
    entry: dict[str, object] = {
        "bytes": facts.total_bytes,
        "v": facts.v,
        "version": facts.version,
        "levels": [
            {"bytes": level.bytes, "ssim": level.ssim, "psnr": level.psnr} for level in facts.levels
        ],
        "urls": {
            output: f"{base}/thumb.{output}?codec={codec}&v={facts.v}"
            for output in ("pxl", *OUTPUTS)
        },
    }
    if inline and kept.stream is not None:
        entry["stream"] = base64.b64encode(kept.stream).decode()
    return entry


_LEVEL = {
    "type": "object",
    "required": ["bytes", "ssim", "psnr"],
    "properties": {
        "bytes": {"type": "integer"},
        "ssim": {"type": "number"},
        "psnr": {"type": "number"},
    },
}
_STREAM = {
    "type": "object",
    "required": ["bytes", "v", "version", "levels", "urls"],
    "properties": {
        "bytes": {"type": "integer", "description": "Length of the whole stream"},
        "v": {"type": "string", "description": "First 8 hex digits of the stream's SHA-256"},
        "version": {"type": "integer", "description": "Version of the codec that made it"},
        "levels": {"type": "array", "items": _LEVEL},
        "urls": {"type": "object", "additionalProperties": {"type": "string"}},
        "stream": {"type": "string", "contentEncoding": "base64"},
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
        "stored": {"type": "boolean", "description": "false: the cache is away, keep the stream"},
        "codecs": {"type": "object", "additionalProperties": _STREAM},
    },
}
