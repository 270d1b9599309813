"""What the commands that measure one codec are told, and what they load."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.codec.interface import Codec
from service.codec.photo.codec import PhotoCodec
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.registry import Encoding, load_codec, newest
from service.errors import ConfigurationError, StartupError
from service.evaluation.data.pictures import Pictures, load_pictures
from service.inference import Runtime
from service.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser, codec: str = "prefixel") -> None:
    """Pictures, and the artifact."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="pictures, as for prefixel evaluate")
    add("--codec", default=codec, help="name of its artifact (%(default)s)")
    add("--artifacts", type=Path, metavar="DIR", help="(PREFIXEL_ARTIFACTS_PATH)")
    add("--skip", type=int, default=0, metavar="N", help="leave out the first N pictures")
    add("--first", type=int, metavar="N", help="of the rest, take the first N")


def load(options: argparse.Namespace) -> tuple[EmbeddedCodec, Pictures]:
    """The codec of thumbnails and chosen pictures; exits with a sentence where none are left."""
    with _in_a_sentence():
        codec = _codec(options, Runtime("cpu"), Encoding())
        if not isinstance(codec, EmbeddedCodec):
            raise ConfigurationError(f"{options.codec} is not an embedded codec")
        return codec, _chosen(options, codec.picture_size)


def load_photos(options: argparse.Namespace) -> tuple[PhotoCodec, Pictures]:
    """The codec of photos, at ``options.effort``, and the chosen ones; exits as ``load`` does."""
    with _in_a_sentence():
        codec = _codec(options, Runtime("cpu", threads=1), Encoding(photo_effort=options.effort))
        if not isinstance(codec, PhotoCodec):
            raise ConfigurationError(f"{options.codec} is not of the codec of photos")
        return codec, _chosen(options, None)


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    try:
        yield
    except StartupError as error:
        raise SystemExit(str(error)) from None


def _codec(options: argparse.Namespace, runtime: Runtime, how: Encoding) -> Codec:
    folder = options.artifacts or read_settings().artifacts()
    return load_codec(newest(folder, options.codec), runtime, how)


def _chosen(options: argparse.Namespace, side: int | None) -> Pictures:
    stop = None if options.first is None else options.skip + options.first
    pictures = load_pictures(options.data, side)
    chosen = pictures[slice(options.skip, stop)]
    if len(chosen) == 0:
        raise ConfigurationError(f"--skip and --first leave none of {len(pictures)} pictures")
    return chosen
