"""``prefixel decode``: streams, or any prefixes of streams, to pictures, in files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.files import (
    Failures,
    add_codec_arguments,
    codec_of,
    destinations,
    load,
    progress,
)
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from service.codec.interface import Codec

FORMATS = ("png", "webp", "jpg")
SIZES = range(1, 513)
DESCRIPTION = """\
Decode streams, or any prefix of one: each becomes DIR/NAME.png (or .webp, .jpg). The stream says
which codec paints it. Exit codes: 0 all were decoded, 1 some were not (each is named on stderr),
2 wrong use.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("decode", help="streams to pictures", description=DESCRIPTION)
    parser.add_argument("streams", type=Path, nargs="+", metavar="STREAM", help="a .pxl file")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(), metavar="DIR", help="where to write (here)"
    )
    parser.add_argument("--format", choices=FORMATS, default="png", help="(%(default)s)")
    parser.add_argument(
        "--size",
        type=int,
        metavar="N",
        help="longest side in pixels, 1 to 512, in the original's aspect (as the codec paints it)",
    )
    add_codec_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Decode every stream that can be; 0, or 1 when one failed. Raises ConfigurationError."""
    if arguments.size is not None and arguments.size not in SIZES:
        raise ConfigurationError(f"--size is {SIZES.start} to {SIZES.stop - 1}")
    targets = destinations(arguments.streams, arguments.out, f".{arguments.format}")
    codecs = load(arguments)
    failures = Failures()
    with progress(len(targets), "decoding") as done:
        for source, target in zip(arguments.streams, targets, strict=True):
            with failures.of(source):
                _decode(codecs, source, target, arguments)
            done()
    return failures.code


def _decode(
    codecs: dict[str, Codec], source: Path, target: Path, arguments: argparse.Namespace
) -> None:
    from service.pictures import paint

    stream = source.read_bytes()
    codec = codec_of(codecs, stream)
    aspect = None if arguments.size is None else codec.header(stream).aspect
    (rgb,) = codec.decode([stream])
    target.write_bytes(paint(rgb, arguments.format, size=arguments.size, aspect=aspect))
    print(f"{source} -> {target}: {len(stream)} bytes of {codec.name}")
