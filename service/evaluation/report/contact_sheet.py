"""Originals and what each codec makes of them at the same bytes, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.codec.header import HEADER_BYTES
from service.codec.interface import Codec
from service.evaluation.baselines import Baseline
from service.evaluation.data.pictures import Pictures, Pixels
from service.evaluation.measure.rate_matching import nearest_not_under
from service.evaluation.measure.summary import Counting
from service.quality.ssim import block_ssim

SCALE = 4
MARGIN = 6
LINE = 14
INK, PAPER = (32, 32, 32), (255, 255, 255)


def contact_sheet(
    path: Path,
    pictures: Pictures,
    codecs: Sequence[Codec],
    baselines: Sequence[Baseline],
    target_bytes: int,
    counting: Counting,
) -> None:
    """Write a lossless WebP: a row a picture, a column a codec, under each its bytes and SSIM.

    Settings are chosen as for the tables: nearest to ``target_bytes``, never under it. All
    pictures have one size (Toderici et al. 2015, Figure 4).
    """
    columns = [("original", [(rgb, "") for rgb in pictures.rgb])]
    for codec in codecs:
        length = target_bytes + (HEADER_BYTES if counting == "payload" else 0)
        columns.append((codec.name, _paint_codec(codec, pictures, length, counting)))
    for baseline in baselines:
        found = [_paint_baseline(baseline, rgb, target_bytes, counting) for rgb in pictures.rgb]
        columns.append((baseline.title, found))
    height, width = (side * SCALE for side in pictures.rgb[0].shape[:2])
    cell = width + MARGIN, height + LINE + MARGIN
    sheet = Image.new(
        "RGB", (MARGIN + len(columns) * cell[0], 3 * LINE + len(pictures) * cell[1]), PAPER
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for column, (title, cells) in enumerate(columns):
        left = MARGIN + column * cell[0]
        for line, words in enumerate(_wrapped(title, width // 6)[:2]):
            draw.text((left, 2 + line * LINE), words, INK, font=font)
        for row, (rgb, label) in enumerate(cells):
            top = 3 * LINE + row * cell[1]
            large = Image.fromarray(rgb).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(large, (left, top))
            draw.text((left, top + height), label, INK, font=font)
    sheet.save(path, lossless=True, quality=100, method=6)


def _paint_codec(
    codec: Codec, pictures: Pictures, length: int, counting: Counting
) -> list[tuple[Pixels, str]]:
    originals = np.stack(pictures.rgb)
    prefix = max(codec.minimum_bytes, length)
    made = codec.encode(pictures.rgb, [1.0] * len(pictures))
    prefixes = [one.stream[:prefix] for one in made]
    painted = np.stack(codec.decode(prefixes))
    header = HEADER_BYTES if counting == "payload" else 0
    scores = block_ssim(originals, painted)
    labels = [
        _label(len(stream) - header, score) for stream, score in zip(prefixes, scores, strict=True)
    ]
    return list(zip(painted, labels, strict=True))


def _paint_baseline(
    baseline: Baseline, rgb: Pixels, target_bytes: int, counting: Counting
) -> tuple[Pixels, str]:
    files = [baseline.encode(rgb, setting) for setting in baseline.settings]
    sizes = np.array(
        [len(baseline.split(one).payload if counting == "payload" else one) for one in files],
        dtype=np.float64,
    )
    index = int(nearest_not_under(sizes[None], np.array([float(target_bytes)])).index[0])
    painted = baseline.decode(files[index], rgb.shape[:2])
    return painted, _label(int(sizes[index]), float(block_ssim(rgb[None], painted[None])[0]))


def _label(spent_bytes: int, score: float) -> str:
    return f"{spent_bytes} B, {score:.3f}"


def _wrapped(title: str, letters: int) -> list[str]:
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > letters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
