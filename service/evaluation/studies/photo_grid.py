"""Photos with networks at low rates: does the grid of cells show, do colours drift?

    python -m service.evaluation.studies.photo_grid --data DIR [--crops OUT]

grid     steps between neighbouring pixels over those of the photo, by their place in cells of 8x8:
         the strongest over the weakest place, of means over photos; 1: nothing of a grid
drift    levels of red, green and blue that a picture as a whole is off by: mean, and worst photo
crops    to look at: the middle of each photo, then its forms and formats; a row a rate
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

from service.codec.interface import Effort
from service.codec.photo.cells import CELL
from service.codec.photo.codec import PhotoCodec
from service.codec.pixels import Pixels
from service.evaluation.report.tables import markdown
from service.evaluation.studies import study_cli

RATES_BPP = (0.1, 0.25, 0.5)
CROP = 192
PEERS: dict[str, dict[str, object]] = {
    "AVIF": {"speed": 6, "subsampling": "4:4:4"},
    "JPEG": {"optimize": True},
}
OURS = ("networks", "closed form")
Floats = NDArray[np.float64]


def by_place(rgb: Pixels, photo: Pixels) -> Floats:
    """Steps across a column's or a row's left or upper edge, by its place in a cell, float64 [8].

    Over those of ``photo`` at the same edges; the first place is the border of cells.
    """
    found = np.zeros(CELL)
    for axis in (0, 1):
        own, theirs = (_steps(picture, axis) for picture in (rgb, photo))
        place = np.arange(1, len(own) + 1) % CELL
        found += [own[place == n].mean() / theirs[place == n].mean() for n in range(CELL)]
    return found / 2


def _steps(rgb: Pixels, axis: int) -> Floats:
    apart: Floats = np.abs(np.diff(rgb.astype(np.float64), axis=axis)).mean((1 - axis, 2))
    return apart


def under(encode: Callable[[int], bytes], most_bytes: int) -> bytes | None:
    """The file of the highest quality of 0..100 that is no longer; None where none is."""
    best, low, high = None, 0, 100
    while low <= high:
        quality = (low + high) // 2
        file = encode(quality)
        if len(file) <= most_bytes:
            best, low = file, quality + 1
        else:
            high = quality - 1
    return best


def shown(codec: PhotoCodec, photo: Pixels) -> list[dict[str, Pixels | None]]:
    """A photo at each of ``RATES_BPP``, in each form and format."""
    cuts = [round(bpp * photo.shape[0] * photo.shape[1] / 8) for bpp in RATES_BPP]
    streams = [codec.stream(photo), codec.stream(photo, networks=False)]
    ours = [list(codec.decode_cuts(s, [min(c, len(s)) for c in cuts])) for s in streams]
    found = []
    for n, cut in enumerate(cuts):
        row: dict[str, Pixels | None] = {name: own[n] for name, own in zip(OURS, ours, strict=True)}
        for peer, options in PEERS.items():
            file = under(_encoder(photo, peer, options), cut)
            row[peer] = None if file is None else np.asarray(Image.open(BytesIO(file)))
        found.append(row)
    return found


def _encoder(photo: Pixels, peer: str, options: dict[str, object]) -> Callable[[int], bytes]:
    def encode(quality: int) -> bytes:
        out = BytesIO()
        Image.fromarray(photo).save(out, peer, quality=quality, **options)
        return out.getvalue()

    return encode


def report(photos: Sequence[Pixels], pictures: Sequence[list[dict[str, Pixels | None]]]) -> str:
    """A table in Markdown; a peer that is too long on a photo has no row at that rate."""
    rows = []
    for n, bpp in enumerate(RATES_BPP):
        for name in (*OURS, *PEERS):
            each = [row[n][name] for row in pictures]
            pairs = [
                (one, photo) for one, photo in zip(each, photos, strict=True) if one is not None
            ]
            if len(pairs) < len(photos):
                rows.append([f"{bpp:g}", name, "–", "–", "–"])
                continue
            profile = np.mean([by_place(*pair) for pair in pairs], axis=0)
            drift = np.array([(one.astype(float) - photo).mean((0, 1)) for one, photo in pairs])
            means = ", ".join(f"{value:+.2f}".replace("-", "−") for value in drift.mean(0))
            worst = f"{np.abs(drift).max():.2f}"
            rows.append([f"{bpp:g}", name, f"{profile.max() / profile.min():.3f}", means, worst])
    return markdown(["bits a pixel", "", "grid", "drift", "worst photo"], rows)


def sheet(photo: Pixels, rows: list[dict[str, Pixels | None]]) -> Image.Image:
    """Crops side by side, twice as large; grey where a format has no file that is short enough."""
    size = [min(CROP, side) for side in photo.shape[:2]]
    top, left = ((side - part) // 2 for side, part in zip(photo.shape[:2], size, strict=True))
    grey = np.full_like(photo, 128)
    lines = [
        [one[top : top + size[0], left : left + size[1]] for one in (photo, *pictures)]
        for pictures in ([grey if one is None else one for one in row.values()] for row in rows)
    ]
    found = Image.fromarray(np.concatenate([np.concatenate(line, 1) for line in lines]))
    return found.resize((2 * found.width, 2 * found.height), Image.Resampling.NEAREST)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m service.evaluation.studies.photo_grid", description=__doc__
    )
    study_cli.add_arguments(parser, "photo")
    efforts = get_args(Effort)
    parser.add_argument("--effort", choices=efforts, default="default", help="(%(default)s)")
    parser.add_argument("--crops", type=Path, metavar="OUT", help="folder for crops")
    options = parser.parse_args()
    codec, pictures = study_cli.load_photos(options)
    each = [shown(codec, one) for one in track(pictures.rgb, console=Console(stderr=True))]
    if options.crops:
        options.crops.mkdir(parents=True, exist_ok=True)
        for name, photo, rows in zip(pictures.names, pictures.rgb, each, strict=True):
            sheet(photo, rows).save(options.crops / f"{Path(name).stem}.png")
    print(report(pictures.rgb, each))


if __name__ == "__main__":
    main()
