"""Streams of photos beside what their symbols are worth: at most .1 % over the ideal code length.

    python -m tests.proofs.photos_length [--data DIR]

Whole streams, each to its last pass, of the folder's pictures (free photos, where none is named).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from service.codec.artifact import read
from service.codec.photo.codec import MOST_BITS_A_PIXEL, PhotoCodec
from service.codec.photo.prices import pass_bits
from service.codec.pixels import Pixels
from service.evaluation.data.pictures import load_pictures
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.proofs.claims import Claims, heading
from tests.support.photos import free_photos

EXCESS = 0.001


def excess(codec: PhotoCodec, picture: Pixels) -> tuple[int, float]:
    """Bytes of a payload, and how many of them are over the ideal."""
    stream = codec.stream(picture)
    length = len(stream) - codec.header(stream).length_bytes
    parse, steps, _ = codec.parse(stream)
    parse.advance(len(stream))
    bits = pass_bits(parse, *codec.statistics(steps.networks))
    return length, length - float(bits.sum()) / 8


def prove(pictures: list[Pixels]) -> Claims:
    """Each, and all together."""
    claims = Claims()
    artifact = read(packaged_artifacts() / "photo")
    codec = PhotoCodec(artifact, Runtime("cpu"), bits_a_pixel=MOST_BITS_A_PIXEL)
    found = np.array([excess(codec, picture) for picture in pictures])
    shares = found[:, 1] / found[:, 0]
    claims.claim(
        float(found[:, 1].sum() / found[:, 0].sum()) <= EXCESS,
        f"streams are at most {EXCESS:.1%} over their ideal code length",
        f"{found[:, 1].sum() / found[:, 0].sum():.4%} over {len(found)} photos of"
        f" {found[:, 0].mean():.0f} bytes on average; the worst {shares.max():.4%}",
    )
    return claims


def main() -> int:
    """Print the claim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of photos")
    chosen = parser.parse_args()
    heading("Length of photo streams")
    if chosen.data is None:
        return prove(list(free_photos().values())).end()
    return prove(list(load_pictures(chosen.data, None).rgb)).end()


if __name__ == "__main__":
    sys.exit(main())
