"""``prefixel encode``: photos to streams, in files."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.files import (
    Codecs,
    Failures,
    add_codec_arguments,
    add_json_argument,
    destinations,
    progress,
    read,
    sources_of,
    write,
)
from service.errors import ConfigurationError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.codec.interface import Codec, Encoded
    from service.pictures import Picture

BATCH = 16
"""Thumbnails; a photo is encoded alone."""
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp", ".heic", ".heif")
)
"""What is encoded of a folder."""
DESCRIPTION = """\
Encode photos: each becomes DIR/NAME.pxl, a stream of which every prefix is a picture. In the place
of a file a folder means all that are in it and below (subfolders are kept), a pattern what it
matches, and - standard input, or with -o output. Exit codes: 0 all were encoded, 1 some were not
(each is named on stderr), 2 wrong use.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("encode", help="photos to streams", description=DESCRIPTION)
    parser.add_argument(
        "photos", type=Path, nargs="+", metavar="PHOTO", help="a file, a folder, a pattern or -"
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="where to write (here; - for -)"
    )
    parser.add_argument(
        "--bytes", type=int, metavar="N", help="cut each stream to at most N bytes (whole)"
    )
    parser.add_argument(
        "--bpp", type=float, metavar="N", help="cut each photo to at most N bits a pixel (whole)"
    )
    parser.add_argument(
        "--effort",
        choices=("default", "high", "best"),
        help="time for a better stream (PREFIXEL_EFFORT, PREFIXEL_PHOTO_EFFORT)",
    )
    parser.add_argument("--codec", metavar="NAME", help="which codec (PREFIXEL_DEFAULT_CODEC)")
    parser.add_argument(
        "--background",
        type=_colour,
        default=(255, 255, 255),
        metavar="RRGGBB",
        help="behind transparent pixels (ffffff)",
    )
    add_json_argument(parser)
    add_codec_arguments(parser)
    parser.set_defaults(run=run)


def _colour(text: str) -> tuple[int, int, int]:
    try:
        red, green, blue = bytes.fromhex(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError("a colour is RRGGBB in hex digits") from wrong
    return red, green, blue


def run(arguments: argparse.Namespace) -> int:
    """Encode every photo that can be; 0, or 1 when one failed. Raises ConfigurationError."""
    from service.sdk.streams import opener
    from service.settings import read_settings

    photos = sources_of(arguments.photos, SUFFIXES)
    targets = destinations(photos, arguments.out, ".pxl")
    name = arguments.codec or read_settings().default_codec
    codec = Codecs(arguments).named(name)
    if arguments.bytes is not None and arguments.bytes < codec.minimum_bytes:
        raise ConfigurationError(f"--bytes is {codec.minimum_bytes} or more for {name}")
    if arguments.bpp is not None and (codec.kind != "photo" or arguments.bpp <= 0):
        raise ConfigurationError("--bpp is more than 0, and for codecs of photos")
    opens, side = opener(), read_settings().photo_side
    failures = Failures()
    pairs = list(zip(photos, targets, strict=True))
    step = BATCH if codec.kind == "thumb" else 1
    with progress(len(pairs), "encoding") as done:
        for start in range(0, len(pairs), step):
            batch = pairs[start : start + step]
            opened = []
            with ExitStack() as held:
                for source, target in batch:
                    with failures.of(source.path):
                        picture = opens.open(
                            read(source.path),
                            background=arguments.background,
                            photo_side=side if codec.kind == "photo" else None,
                        )
                        opened.append((source.path, target, held.enter_context(picture)))
                made = _encode(codec, [picture for *_, picture in opened])
            for (photo, target, _), encoded in zip(opened, made, strict=True):
                with failures.of(photo):
                    budget = _budget(codec, encoded.stream, arguments)
                    _write(photo, target, encoded, budget, as_json=arguments.json)
            for _ in batch:
                done()
    return failures.code


def _budget(codec: Codec, stream: bytes, arguments: argparse.Namespace) -> int | None:
    """The least that was asked for. Raises ParameterError for less than a header."""
    if arguments.bpp is None:
        budget: int | None = arguments.bytes
        return budget
    size = codec.header(stream).size
    assert size is not None
    budget = int(arguments.bpp * size.pixels / 8)
    if budget < codec.minimum_bytes:
        raise ParameterError(
            "bpp", f"{arguments.bpp:g} bits a pixel are {budget} bytes, which hold no picture"
        )
    return budget if arguments.bytes is None else min(budget, arguments.bytes)


def _encode(codec: Codec, pictures: Sequence[Picture]) -> list[Encoded]:
    from service.codec.interface import measured

    rgb = [picture.pixels(codec.kind) for picture in pictures]
    return measured(codec, rgb, codec.encode(rgb, [picture.aspect for picture in pictures]))


def _write(
    photo: Path, target: Path, encoded: Encoded, budget_bytes: int | None, *, as_json: bool
) -> None:
    prefix = encoded.stream[:budget_bytes]
    reached = [level for level in encoded.levels or () if level.bytes <= len(prefix)]
    quality = f", SSIM {reached[-1].ssim:.3f}, PSNR {reached[-1].psnr:.1f} dB" if reached else ""
    facts: dict[str, object] = {
        "source": str(photo),
        "target": str(target),
        "bytes": len(prefix),
        "whole_bytes": len(encoded.stream),
        "ssim": reached[-1].ssim if reached else None,
        "psnr": reached[-1].psnr if reached else None,
    }
    text = f"{photo} -> {target}: {len(prefix)} of {len(encoded.stream)} bytes{quality}"
    write(target, prefix, text, facts if as_json else None)
