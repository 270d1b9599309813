"""``prefixel inspect``: what a stream says of itself."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.files import (
    Codecs,
    Failures,
    add_codec_arguments,
    add_json_argument,
    read,
    sources_of,
)

if TYPE_CHECKING:
    from service.codec.interface import Inspection

DESCRIPTION = """\
Show the header and the chunks of streams, with their offsets and sizes. Exit codes: 0 ok, 1 a file
is not a stream, 2 wrong use.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "inspect", help="header, chunks and sizes of a stream", description=DESCRIPTION
    )
    parser.add_argument(
        "streams",
        type=Path,
        nargs="+",
        metavar="STREAM",
        help="a .pxl file, a folder, a pattern or -",
    )
    add_json_argument(parser)
    add_codec_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what there is; 0, or 1 when one is no stream. Raises ConfigurationError."""
    codecs = Codecs(arguments)
    failures = Failures()
    for source in sources_of(arguments.streams, (".pxl",)):
        with failures.of(source.path):
            stream = read(source.path)
            found = codecs.of(stream).inspect(stream)
            if arguments.json:
                print(json.dumps({"source": str(source.path), **asdict(found)}))
            else:
                print(_text(source.path, found))
    return failures.code


def _text(path: Path, found: Inspection) -> str:
    whole = "complete" if found.complete else "a prefix"
    lines = [
        f"{path}",
        f"  codec    {found.codec}, wire id {found.wire_id}, version {found.version}",
        f"  aspect   {found.aspect:.3f} (width / height of the original)",
        f"  length   {found.total_bytes} bytes, {whole}",
        *(f"  {name.replace('_', ' ')}: {value}" for name, value in found.facts.items()),
        "",
        "  offset  bytes  chunk",
    ]
    lines += [
        f"  {chunk.offset_bytes:6}  {chunk.length_bytes:5}  {chunk.label}" for chunk in found.chunks
    ]
    return "\n".join(lines)
