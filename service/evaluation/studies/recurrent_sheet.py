"""``python -m service.evaluation.studies.recurrent_sheet --photos FILE ... --out FILE``: what the
four systems of Toderici et al. 2016 paint.

Of each photo, shrunk, the middle, at nominal .5, 1 and 2 bits a pixel, a row a system, beside the
original and JPEG 4:2:0 whose scan has as many bits or a few more; under each its PSNR.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.codec.interface import Pixels
from service.codec.recurrent.codec import to_rgb
from service.codec.recurrent.full_resolution import FullResolutionCodec
from service.codec.registry import load_newest
from service.evaluation.baselines import find_baselines
from service.evaluation.photos.recurrent import QUALITIES, STEP, TARGETS, middle
from service.inference import Runtime
from service.quality.psnr import psnr
from service.settings import packaged_artifacts

SYSTEMS = "lstm-scaling", "gru-thumbs", "gru-entropy", "residual-gru"
SIDE, SHORT, MARGIN, LINE = 128, 176, 4, 13
INK, PAPER = (32, 32, 32), (255, 255, 255)
QUALITY = 45


def scene(path: Path) -> Pixels:
    """The middle of a photo whose short side is ``SHORT``: uint8 [SIDE, SIDE, 3]."""
    with Image.open(path) as photo:
        scale = SHORT / min(photo.size)
        size = round(photo.width * scale), round(photo.height * scale)
        small = photo.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return np.ascontiguousarray(middle(np.asarray(small), SIDE))


def of_system(codec: FullResolutionCodec, picture: Pixels) -> list[Pixels]:
    """What it paints at ``TARGETS``."""
    wanted = [round(bpp / STEP) for bpp in TARGETS]
    steps = enumerate(codec.steps(picture), 1)
    return [to_rgb(planes)[0][:SIDE, :SIDE] for step, (_, planes) in steps if step in wanted]


def of_jpeg(picture: Pixels) -> list[Pixels]:
    """The same of JPEG: the smallest scan that is not under the rate, else the largest."""
    [jpeg] = find_baselines(["jpeg"])
    files = sorted((jpeg.encode(picture, quality) for quality in QUALITIES), key=len)
    bits = [8 * len(jpeg.split(file).payload) / picture[..., 0].size for file in files]
    chosen = [next((n for n, b in enumerate(bits) if b >= bpp), -1) for bpp in TARGETS]
    size = picture.shape[0], picture.shape[1]
    return [jpeg.decode(files[n], size) for n in chosen]


def sheet(pictures: Sequence[Pixels], codecs: Sequence[FullResolutionCodec]) -> Image.Image:
    """Photos side by side; of each a row a system, a column a rate."""
    across, down = SIDE + MARGIN, SIDE + LINE + MARGIN
    columns, rows = 1 + len(TARGETS), 1 + len(codecs)
    made = Image.new("RGB", (len(pictures) * columns * across, LINE + rows * down), PAPER)
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(10)
    for number, picture in enumerate(pictures):
        left = number * columns * across
        for column, words in enumerate(("original", *(f"{bpp:g} bpp" for bpp in TARGETS))):
            draw.text((left + column * across, 0), words, INK, font=font)
        made.paste(Image.fromarray(picture), (left, LINE))
        for row, name in enumerate(("JPEG 4:2:0", *(codec.name for codec in codecs))):
            top = LINE + row * down
            shown = of_system(codecs[row - 1], picture) if row else of_jpeg(picture)
            for column, one in enumerate(shown, 1):
                at = left + column * across, top
                made.paste(Image.fromarray(one), at)
                decibels = float(psnr(picture[None], one[None])[0])
                draw.text((at[0], at[1] + SIDE), f"{name} {decibels:.1f} dB", INK, font=font)
    return made


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="a .webp")
    options = parser.parse_args()
    found = load_newest(packaged_artifacts(), SYSTEMS, Runtime("cpu"))
    codecs = [codec for codec in found.values() if isinstance(codec, FullResolutionCodec)]
    pictures = [scene(path) for path in options.photos]
    sheet(pictures, codecs).save(options.out, quality=QUALITY, method=6)
    print(f"{options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
