"""``prefixel decode``: streams, or any prefixes of streams, to pictures, in files."""

from __future__ import annotations

import argparse
from pathlib import Path

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

FORMATS = ("png", "webp", "jpg", "avif")
SIZES = {"thumb": range(1, 513), "photo": range(1, 4097)}
DESCRIPTION = """\
Decode streams, or any prefix of one: each becomes DIR/NAME.png (or .webp, .jpg, .avif). The stream
says which codec paints it. In the place of a file a folder means all .pxl that are in it and below
(subfolders are kept), a pattern what it matches, and - standard input, or with -o output. Exit
codes: 0 all were decoded, 1 some were not (each is named on stderr), 2 wrong use.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("decode", help="streams to pictures", description=DESCRIPTION)
    parser.add_argument(
        "streams",
        type=Path,
        nargs="+",
        metavar="STREAM",
        help="a .pxl file, a folder, a pattern or -",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="where to write (here; - for -)"
    )
    parser.add_argument("--format", choices=FORMATS, default="png", help="(%(default)s)")
    parser.add_argument(
        "--size",
        type=int,
        metavar="N",
        help="long side in pixels, 1 to 512, of photos to 4096 (as the codec paints it)",
    )
    add_json_argument(parser)
    add_codec_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Decode every stream that can be; 0, or 1 when one failed. Raises ConfigurationError."""
    largest = SIZES["photo"]
    if arguments.size is not None and arguments.size not in largest:
        raise ConfigurationError(f"--size is {largest.start} to {largest.stop - 1}")
    streams = sources_of(arguments.streams, (".pxl",))
    targets = destinations(streams, arguments.out, f".{arguments.format}")
    codecs = Codecs(arguments)
    failures = Failures()
    with progress(len(targets), "decoding") as done:
        for source, target in zip(streams, targets, strict=True):
            with failures.of(source.path):
                _decode(codecs, source.path, target, arguments)
            done()
    return failures.code


def _decode(codecs: Codecs, source: Path, target: Path, arguments: argparse.Namespace) -> None:
    from service.pictures import Frame, paint, paint_photo

    stream = read(source)
    codec = codecs.of(stream)
    header, size = codec.header(stream), arguments.size
    if header.size is None:
        if size is not None and size not in SIZES["thumb"]:
            raise ParameterError("size", f"a thumbnail's size is 1 to 512, not {size}")
        (rgb,) = codec.decode([stream])
        aspect = None if size is None else header.aspect
        painted = paint(rgb, arguments.format, size=size, aspect=aspect)
    else:
        own = header.size
        placed = Frame(size=size).placed(own, usual_side=max(own.width, own.height))
        (rgb,) = codec.decode([stream], placed.side)
        painted = paint_photo(rgb, arguments.format, placed)
    facts: dict[str, object] = {
        "source": str(source),
        "target": str(target),
        "stream_bytes": len(stream),
        "codec": codec.name,
        "bytes": len(painted),
    }
    text = f"{source} -> {target}: {len(stream)} bytes of {codec.name}"
    write(target, painted, text, facts if arguments.json else None)
