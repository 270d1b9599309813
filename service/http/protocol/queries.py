"""Query strings, read by hand: every parameter has a bound, and stands once.

A parameter that the path does not know is refused (400), and so is one that comes twice: a
misspelt ``?byte=64`` would else quietly send the whole stream. One definition serves both the
reader and the OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from urllib.parse import unquote_plus

from service.codec.header import HEADER_BYTES
from service.errors import ParameterError
from service.pictures import FITS, PHOTO_OUTPUTS

Schema = dict[str, Any]
BYTES = range(HEADER_BYTES, 2**26 + 1)
"""Of prefixes: the largest photo has 2^24 pixels, and no stream is longer than its pixels."""
SIZES = range(1, 513)
PHOTO_SIZES = range(1, 4097)
PSNR_LIMIT = 100.0
BPP_LIMIT = 32.0
QUALITY_DIGITS = 4
BPP_DIGITS = 6
CODECS_LIMIT = 16
QUALITIES = range(1, 101)
NUMBER_CHARACTERS = 24
SHOWN_CHARACTERS = 40

_NUMERALS = frozenset("0123456789.eE+-")
_V = re.compile(r"[0-9a-f]{8}")
_CODEC = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_COLOUR = re.compile(r"[0-9a-fA-F]{6}")
_ID = re.compile(r"[a-z2-7]{26}")
ID_SCHEMA: Schema = {"type": "string", "pattern": f"^{_ID.pattern}$"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter; ``read`` turns its text into a value or raises ParameterError.

    ``spell`` gives the one text that a value has in a URL (``spelling``).
    """

    name: str
    read: Callable[[str], Any]
    schema: Schema
    description: str
    required: bool = False
    spell: Callable[[Any], str] = str


Parameters = Mapping[str, Parameter]


def shown(text: str) -> str:
    """What a client wrote, quoted: short, and printable ASCII alone."""
    safe = "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:SHOWN_CHARACTERS])
    return f"'{safe}{'...' if len(text) > SHOWN_CHARACTERS else ''}'"


def known(*parameters: Parameter) -> Parameters:
    """The parameters of a path, by name."""
    return {parameter.name: parameter for parameter in parameters}


def required(parameter: Parameter) -> Parameter:
    """The same parameter where it may not be left out."""
    return replace(parameter, required=True)


def read_query(raw: bytes, parameters: Parameters) -> dict[str, Any]:
    """The values in a query string, by name; those that are absent are left out.

    Raises ParameterError for a parameter that is unknown, comes twice, is missing or out of range.
    """
    found: dict[str, Any] = {}
    if raw:
        text = raw.decode("latin-1")
        encoded = "%" in text or "+" in text
        for pair in text.split("&"):
            if not pair:
                continue
            name, _, value = pair.partition("=")
            if encoded:
                name, value = unquote_plus(name), unquote_plus(value)
            parameter = parameters.get(name)
            if parameter is None:
                allowed = ", ".join(parameters) or "none"
                raise ParameterError("query", f"no parameter {shown(name)} here", allowed)
            if name in found:
                raise ParameterError(name, f"'{name}' comes more than once", "once")
            found[name] = parameter.read(value)
    for name, parameter in parameters.items():
        if parameter.required and name not in found:
            raise ParameterError(name, f"'{name}' is missing", "exactly one")
    return found


def whole(name: str, text: str, bounds: range) -> int:
    """A whole number within ``bounds``. Raises ParameterError."""
    if text.isascii() and text.isdigit() and len(text) <= NUMBER_CHARACTERS:
        number = int(text)
        if number in bounds:
            return number
    allowed = f"{bounds.start} to {bounds.stop - 1}"
    raise ParameterError(name, f"'{name}' is a whole number from {allowed}", allowed)


def decimal(name: str, text: str, limit: float) -> float:
    """A decimal number from 0 to ``limit``. Raises ParameterError."""
    if len(text) <= NUMBER_CHARACTERS and _NUMERALS.issuperset(text):
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if 0 <= number <= limit:
            return number
    allowed = f"0 to {limit:g}"
    raise ParameterError(name, f"'{name}' is a number from {allowed}", allowed)


def spell_decimal(value: float, digits: int, rounding: str) -> str:
    """Without an exponent, at most so many digits after the point, no zeros at the end."""
    rounded = Decimal(repr(abs(value))).quantize(Decimal(1).scaleb(-digits), rounding)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _spell_quality(value: float) -> str:
    """With the digits that documents give; a quality is met by what has more of it."""
    return spell_decimal(value, QUALITY_DIGITS, ROUND_CEILING)


def matched(name: str, text: str, pattern: re.Pattern[str], words: str) -> str:
    """Text of which a pattern holds. Raises ParameterError."""
    if not pattern.fullmatch(text):
        raise ParameterError(name, f"'{name}' is {words}", words)
    return text


def chosen(name: str, text: str, choices: Collection[str]) -> str:
    """One of a few words. Raises ParameterError."""
    if text not in choices:
        allowed = ", ".join(choices)
        raise ParameterError(name, f"'{name}' is one of {allowed}", allowed)
    return text


def is_image_id(text: str) -> bool:
    """Whether an id could be one: 128 bits in base32, lower case, without padding."""
    return _ID.fullmatch(text) is not None


def _codec(name: str, text: str) -> str:
    return matched(name, text, _CODEC, "a codec's name (a-z, 0-9, -)")


def _colour(text: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(matched("background", text, _COLOUR, "RRGGBB in hex digits"))
    return red, green, blue


def _codecs(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(_codec("codecs", name) for name in text.split(",")))
    if len(names) > CODECS_LIMIT:
        raise ParameterError("codecs", f"{len(names)} codecs are too many", f"1 to {CODECS_LIMIT}")
    return names


def _ids(text: str) -> tuple[str, ...]:
    return tuple(
        matched("ids", one, _ID, f"ids of 26 characters a-z and 2-7, not {shown(one)}")
        for one in text.split(",")
    )


def _whole_schema(bounds: range) -> Schema:
    return {"type": "integer", "minimum": bounds.start, "maximum": bounds.stop - 1}


_NAME: Schema = {"type": "string", "pattern": f"^{_CODEC.pattern}$"}

BYTES_AT_MOST = Parameter(
    "bytes",
    lambda text: whole("bytes", text, BYTES),
    _whole_schema(BYTES),
    "The longest prefix, in bytes, header included; the codec's minimum_bytes at least",
)
SSIM = Parameter(
    "ssim",
    lambda text: decimal("ssim", text, 1.0),
    {"type": "number", "minimum": 0, "maximum": 1},
    "The shortest measured prefix with this SSIM; out of reach: the whole stream",
    spell=_spell_quality,
)
PSNR = Parameter(
    "psnr",
    lambda text: decimal("psnr", text, PSNR_LIMIT),
    {"type": "number", "minimum": 0, "maximum": PSNR_LIMIT},
    "The shortest measured prefix with this PSNR, in dB; out of reach: the whole stream",
    spell=_spell_quality,
)
MSSSIM = Parameter(
    "msssim",
    lambda text: decimal("msssim", text, 1.0),
    {"type": "number", "minimum": 0, "maximum": 1},
    "The shortest measured prefix with this MS-SSIM; out of reach: the whole stream;"
    " 400 for photos under 161 pixels a side",
    spell=_spell_quality,
)
BPP = Parameter(
    "bpp",
    lambda text: decimal("bpp", text, BPP_LIMIT),
    {"type": "number", "minimum": 0, "maximum": BPP_LIMIT},
    "The longest prefix, in bits by pixel of the stored photo",
    spell=lambda value: spell_decimal(value, BPP_DIGITS, ROUND_FLOOR),
)
CODEC = Parameter(
    "codec", lambda text: _codec("codec", text), _NAME, "Which codec; the default one if absent"
)
V = Parameter(
    "v",
    lambda text: matched("v", text, _V, "8 hex digits, lower case"),
    {"type": "string", "pattern": f"^{_V.pattern}$"},
    "This very stream (the first 8 hex digits of its SHA-256), or 404",
)
SIZE = Parameter(
    "size",
    lambda text: whole("size", text, SIZES),
    _whole_schema(SIZES),
    "Longest side in pixels, with the original's aspect; absent: square, as the codec paints it",
)
PHOTO_SIZE = Parameter(
    "size",
    lambda text: whole("size", text, PHOTO_SIZES),
    _whole_schema(PHOTO_SIZES),
    "Long side in pixels; absent, without width and height: the photo's own, 2048 at most",
)
WIDTH = Parameter(
    "width",
    lambda text: whole("width", text, PHOTO_SIZES),
    _whole_schema(PHOTO_SIZES),
    "Width in pixels; without height that follows from the photo's shape",
)
HEIGHT = Parameter(
    "height",
    lambda text: whole("height", text, PHOTO_SIZES),
    _whole_schema(PHOTO_SIZES),
    "Height in pixels; without width that follows from the photo's shape",
)
FIT = Parameter(
    "fit",
    lambda text: chosen("fit", text, FITS),
    {"type": "string", "enum": list(FITS), "default": FITS[0]},
    "With width and height: whether the photo lies within, or fills them and is cut",
)
QUALITY = Parameter(
    "quality",
    lambda text: whole("quality", text, QUALITIES),
    _whole_schema(QUALITIES),
    "How the picture is compressed (not PNG); absent: so that the stream's own loss is the larger",
)
DECODE_SIZE = Parameter(
    "size",
    lambda text: whole("size", text, PHOTO_SIZES),
    _whole_schema(PHOTO_SIZES),
    "Long side in pixels, up to 512 of a thumbnail; absent: a thumbnail is square, as the codec"
    " paints it, a photo has its own, 2048 at most",
)
FORMAT = Parameter(
    "format",
    lambda text: chosen("format", text, PHOTO_OUTPUTS),
    {"type": "string", "enum": list(PHOTO_OUTPUTS), "default": "png"},
    "What to paint",
)
BACKGROUND = Parameter(
    "background",
    _colour,
    {"type": "string", "pattern": f"^{_COLOUR.pattern}$", "default": "ffffff"},
    "Colour behind transparent pixels, RRGGBB",
    spell=lambda value: bytes(value).hex(),
)
CODECS = Parameter(
    "codecs",
    _codecs,
    {"type": "array", "items": _NAME, "minItems": 1, "maxItems": CODECS_LIMIT},
    "Codecs to encode with, comma separated; the default one if absent",
    spell=",".join,
)
INLINE = Parameter(
    "inline",
    lambda text: chosen("inline", text, ("0", "1")) == "1",
    {"type": "string", "enum": ["0", "1"], "default": "0"},
    "1: the streams come in the answer too, as base64, up to PREFIXEL_INLINE_LIMIT_BYTES each",
    spell=lambda value: "1" if value else "0",
)
IDS = Parameter(
    "ids",
    _ids,
    {"type": "array", "items": ID_SCHEMA, "minItems": 1, "maxItems": 256},
    "Ids, comma separated; PREFIXEL_IDS_LIMIT (256) at most",
    required=True,
    spell=",".join,
)
