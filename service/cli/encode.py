"""``prefixel encode``: photos to streams, in files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.files import Failures, add_codec_arguments, destinations, load, progress
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.codec.interface import Codec, Encoded
    from service.pictures import Opener, Picture

BATCH = 16
DESCRIPTION = """\
Encode photos: each becomes DIR/NAME.pxl, a stream of which every prefix is a picture. Exit codes:
0 all were encoded, 1 some were not (each is named on stderr), 2 wrong use.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("encode", help="photos to streams", description=DESCRIPTION)
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO", help="a photo's file")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(), metavar="DIR", help="where to write (here)"
    )
    parser.add_argument(
        "--bytes", type=int, metavar="N", help="cut each stream to at most N bytes (whole)"
    )
    parser.add_argument(
        "--effort",
        choices=("default", "high", "best"),
        help="time for a better stream (PREFIXEL_EFFORT)",
    )
    parser.add_argument("--codec", metavar="NAME", help="which codec (PREFIXEL_DEFAULT_CODEC)")
    parser.add_argument(
        "--background",
        type=_colour,
        default=(255, 255, 255),
        metavar="RRGGBB",
        help="behind transparent pixels (ffffff)",
    )
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
    from service.settings import read_settings

    targets = destinations(arguments.photos, arguments.out, ".pxl")
    codecs = load(arguments)
    name = arguments.codec or read_settings().default_codec
    if name not in codecs:
        raise ConfigurationError(f"no codec {name!r}; there are: {', '.join(sorted(codecs))}")
    codec = codecs[name]
    if arguments.bytes is not None and arguments.bytes < codec.minimum_bytes:
        raise ConfigurationError(f"--bytes is {codec.minimum_bytes} or more for {name}")
    opener = _opener()
    failures = Failures()
    pairs = list(zip(arguments.photos, targets, strict=True))
    with progress(len(pairs), "encoding") as done:
        for start in range(0, len(pairs), BATCH):
            batch = pairs[start : start + BATCH]
            opened = []
            for photo, target in batch:
                with failures.of(photo):
                    picture = opener.open(photo.read_bytes(), background=arguments.background)
                    opened.append((photo, target, picture))
            for (photo, target, _), encoded in zip(
                opened, _encode(codec, [picture for *_, picture in opened]), strict=True
            ):
                with failures.of(photo):
                    _write(photo, target, encoded, arguments.bytes)
            for _ in batch:
                done()
    return failures.code


def _opener() -> Opener:
    from service.pictures import Limits, Opener
    from service.settings import read_settings

    settings = read_settings()
    return Opener(
        Limits(
            pixel_limit=settings.pixel_limit,
            scan_limit=settings.scan_limit,
            decode_memory_bytes=settings.decode_memory_bytes,
        )
    )


def _encode(codec: Codec, pictures: Sequence[Picture]) -> list[Encoded]:
    from service.codec.interface import measured

    rgb = [picture.rgb for picture in pictures]
    return measured(codec, rgb, codec.encode(rgb, [picture.aspect for picture in pictures]))


def _write(photo: Path, target: Path, encoded: Encoded, budget_bytes: int | None) -> None:
    prefix = encoded.stream[:budget_bytes]
    target.write_bytes(prefix)
    reached = [level for level in encoded.levels or () if level.bytes <= len(prefix)]
    quality = f", SSIM {reached[-1].ssim:.3f}, PSNR {reached[-1].psnr:.1f} dB" if reached else ""
    print(f"{photo} -> {target}: {len(prefix)} of {len(encoded.stream)} bytes{quality}")
