"""What the commands that measure one embedded codec are told, and what they load."""

from __future__ import annotations

import argparse
from pathlib import Path

from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.registry import load_codec, newest
from service.errors import ConfigurationError, StartupError
from service.evaluation.data.pictures import Pictures, load_pictures
from service.inference import Runtime
from service.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Pictures, and the artifact."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="pictures, as for prefixel evaluate")
    add("--codec", default="prefixel", help="name of its artifact (%(default)s)")
    add("--artifacts", type=Path, metavar="DIR", help="(PREFIXEL_ARTIFACTS_PATH)")
    add("--skip", type=int, default=0, metavar="N", help="leave out the first N pictures")
    add("--first", type=int, metavar="N", help="of the rest, take the first N")


def load(options: argparse.Namespace) -> tuple[EmbeddedCodec, Pictures]:
    """The codec and the chosen pictures. Exits with a sentence where there are none."""
    try:
        return _load(options)
    except StartupError as error:
        raise SystemExit(str(error)) from None


def _load(options: argparse.Namespace) -> tuple[EmbeddedCodec, Pictures]:
    folder = options.artifacts or read_settings().artifacts()
    codec = load_codec(newest(folder, options.codec), Runtime("cpu"))
    if not isinstance(codec, EmbeddedCodec):
        raise ConfigurationError(f"{options.codec} is not an embedded codec")
    stop = None if options.first is None else options.skip + options.first
    pictures = load_pictures(options.data, codec.picture_size)
    chosen = pictures[slice(options.skip, stop)]
    if len(chosen) == 0:
        raise ConfigurationError(f"--skip and --first leave none of {len(pictures)} pictures")
    return codec, chosen
