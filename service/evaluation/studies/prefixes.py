"""One photo out of a few bytes, some and many, side by side: the README's first picture.

    python -m service.evaluation.studies.prefixes --out docs/prefixes.jpg [--photo FILE]

At 64 bytes it is the thumbnail's stream in the photo's shape, from there on the photo's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.codec.geometry import THUMB_SIDE, Size
from service.codec.pixels import Pixels
from service.codec.registry import load_codecs
from service.evaluation.data.pictures import squash
from service.inference import Runtime
from service.settings import packaged_artifacts

LENGTHS = {64: "64 bytes", 1000: "1 kB", 20_000: "20 kB"}
GAP, CAPTION, LETTERS = 12, 40, 24
THUMB_BYTES = 64
QUALITY = 90


def painted(rgb: Pixels) -> dict[str, Pixels]:
    """Each length's picture, uint8 [H, W, 3], by its caption."""
    codecs = load_codecs(packaged_artifacts(), ("prefixel", "photo"), Runtime("cpu"))
    size = Size.of(rgb)
    [thumb] = codecs["prefixel"].encode([squash(rgb, THUMB_SIDE)], [size.aspect])
    [photo] = codecs["photo"].encode([rgb], [size.aspect])
    found = {}
    for length, caption in LENGTHS.items():
        own = codecs["prefixel" if length <= THUMB_BYTES else "photo"]
        stream = (thumb if length <= THUMB_BYTES else photo).stream
        [shown] = own.decode([stream[:length]])
        image = Image.fromarray(shown).resize((size.width, size.height), Image.Resampling.BICUBIC)
        found[caption] = np.asarray(image)
    return found


def strip(pictures: dict[str, Pixels]) -> Image.Image:
    """Side by side, captions under them."""
    height, width, _ = next(iter(pictures.values())).shape
    across = len(pictures) * (width + GAP) - GAP
    sheet = Image.new("RGB", (across, height + CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTERS)
    for n, (caption, picture) in enumerate(pictures.items()):
        left = n * (width + GAP)
        sheet.paste(Image.fromarray(picture), (left, 0))
        draw.text((left + width / 2, height + CAPTION / 2), caption, "black", font, anchor="mm")
    return sheet


def main() -> None:
    """Make the picture; of scikit-image's cat (CC0) unless a photo is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photo", type=Path)
    chosen = parser.parse_args()
    if chosen.photo:
        rgb = np.asarray(Image.open(chosen.photo).convert("RGB"))
    else:
        import skimage.data

        rgb = np.asarray(getattr(skimage.data, "chelsea")())  # noqa: B009 - it has no types
    strip(painted(rgb)).save(chosen.out, quality=QUALITY)


if __name__ == "__main__":
    main()
