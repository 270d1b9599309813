"""``python -m service.evaluation.studies.importance_map --data DIR ...``: its curve, and its maps.

Scores at fixed rates by the rule of Mentzer et al. 2018, section 4: between a photo's own points
lie straight lines, nothing is extrapolated, a rate counts where every photo has it. ``--points``
are those of other codecs (what ``prefixel evaluate --codec photo`` keeps), shown beside the folders
whose photos are all among them. ``--page`` writes the tables, and the first as a plot beside them.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from service.codec.importance.codec import ImportanceMapCodec
from service.codec.interface import Pixels
from service.codec.registry import load_newest
from service.inference import Runtime
from service.quality.ms_ssim import ms_ssim
from service.settings import packaged_artifacts

NAME = "importance-map"
SHARES = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0)
"""Of a stream: where it is cut."""
OTHERS = {
    "default": "`photo`",
    "jpeg-opt": "JPEG 4:2:0",
    "jpeg2000": "JPEG 2000",
    "webp": "WebP",
    "avif-s6": "AVIF 4:4:4",
}
"""Codecs of ``--points`` that are shown, and how."""
OWN, PAPER = f"`{NAME}`", "the paper, Kodak, printed"
RATES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
PRINTED = (
    (0.127, 0.9289),
    (0.206, 0.9554),
    (0.286, 0.9669),
    (0.365, 0.9738),
    (0.498, 0.9809),
    (0.604, 0.9846),
)
"""Bits a pixel and MS-SSIM of the paper's curve on Kodak, in its public code."""
Points = dict[str, list[tuple[float, float]]]
"""By photo: bits a pixel, MS-SSIM."""


def opened(path: Path) -> Pixels:
    """uint8 [H, W, 3]."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def points_of(codec: ImportanceMapCodec, paths: Iterable[Path]) -> Points:
    """Each photo's own points, at ``SHARES`` of its stream; headers do not count."""
    found: Points = {}
    for path in paths:
        picture = opened(path)
        stream = codec.stream(picture)
        head = codec.header(stream).length_bytes
        cuts = [head + round(share * (len(stream) - head)) for share in SHARES]
        pixels = picture.shape[0] * picture.shape[1]
        found[path.name] = [
            (8 * (cut - head) / pixels, float(ms_ssim(picture[None], shown[None])[0]))
            for cut, shown in zip(cuts, codec.decode_cuts(stream, cuts), strict=True)
        ]
        print(f"{path.name}: {8 * len(stream) / pixels:.3f} bpp", flush=True)
    return found


def read(path: Path) -> dict[str, Points]:
    """Points of ``OTHERS``: columns codec, photo, bpp, ms-ssim."""
    found: dict[str, Points] = {title: defaultdict(list) for title in OTHERS.values()}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if title := OTHERS.get(row["codec"]):
                score = float(row["ms-ssim"])
                found[title][row["photo"]].append((float(row["bpp"]), score))
    return found


def beside(mine: Points, others: dict[str, Points]) -> dict[str, Points]:
    """Mine, and others' of the same photos where they have all of them."""
    shown = {OWN: mine}
    for title, points in others.items():
        if mine.keys() <= points.keys():
            shown[title] = {photo: points[photo] for photo in mine}
    return shown


def averaged(points: Points, rate: float) -> float | None:
    """The photos' mean at a rate; None where one of them does not reach it on both sides."""
    scores = []
    for mine in points.values():
        bpp, score = np.array(sorted(mine)).T
        if not bpp[0] <= rate <= bpp[-1]:
            return None
        scores.append(float(np.interp(rate, bpp, score)))
    return float(np.mean(scores))


def table(curves: dict[str, Points]) -> str:
    """Markdown: a row a codec, a column a rate."""
    lines = [f"| MS-SSIM | {' | '.join(map(str, RATES))} |", "|-" + "|-" * len(RATES) + "|"]
    printed: Points = {"mean": list(PRINTED)}
    for name, points in {**curves, PAPER: printed}.items():
        cells = (averaged(points, rate) for rate in RATES)
        words = ("–" if cell is None else f"{cell:.4f}".lstrip("0") for cell in cells)
        lines.append(f"| {name} | {' | '.join(words)} |")
    return "\n".join(lines)


def plot(curves: dict[str, Points], path: Path) -> None:
    """The same as lines, of all rates that every photo has, and the printed points: an SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    panel = figure.subplots()
    for name, points in curves.items():
        reached = [(rate, averaged(points, rate)) for rate in np.linspace(0.02, 0.7, 35)]
        rates, scores = np.array([pair for pair in reached if pair[1] is not None], float).T
        decibels = -10 * np.log10(1 - scores)
        panel.plot(rates, decibels, label=name.strip("`"), lw=2 if points is curves[OWN] else 1)
    rates, scores = np.array(PRINTED).T
    panel.plot(rates, -10 * np.log10(1 - scores), "k.", label=PAPER)
    panel.set_xlabel("bits a pixel")
    panel.set_ylabel("MS-SSIM, dB")
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small")
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "prefixel"}):
        figure.savefig(path, metadata={"Date": None})


def sheet(codec: ImportanceMapCodec, paths: Iterable[Path]) -> Image.Image:
    """Photos, and below each its importance map: white uses all channels."""
    columns = []
    for path in paths:
        picture = opened(path)
        height, width = (min(320, side) // 8 * 8 for side in picture.shape[:2])
        top, left = ((side - n) // 2 for side, n in zip(picture.shape, (height, width)))  # noqa: B905
        crop = np.ascontiguousarray(picture[top : top + height, left : left + width])
        y = np.rint(codec.importance(crop) * 255 / codec.channels).astype(np.uint8)
        shown = np.repeat(np.repeat(y, 8, 0), 8, 1)[..., None].repeat(3, 2)
        both = np.concatenate((crop, shown))
        columns.append(np.pad(both, ((0, 640 - len(both)), (0, 8), (0, 0)), constant_values=255))
    return Image.fromarray(np.concatenate(columns, 1))


def page(tables: dict[str, str], picture: str, photos: dict[str, int]) -> str:
    """Markdown: a table a folder of photos, the plot of the first."""
    parts = [
        "# The curve of the codec with an importance map",
        "Printed by `python -m service.evaluation.studies.importance_map --data DIR ... --points"
        " docs/evaluation/photos.csv --page FILE`: MS-SSIM at fixed rates by the rule of Mentzer et"
        " al. 2018, section 4 (each photo's own points joined by straight lines, nothing"
        " extrapolated, a rate counts where every photo has it). Headers do not count for"
        f" `{NAME}`, whose points are cuts of one stream a photo; of the others whole files count.",
        f"![MS-SSIM in dB over bits a pixel]({picture})",
    ]
    for folder, shown in tables.items():
        parts += [f"## `{folder}`, {photos[folder]} photos", shown]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Print the tables; write the page, and the sheet of maps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, nargs="+", default=[], help="folders of photos (*.png)"
    )
    parser.add_argument("--points", type=Path, help="CSV of other codecs' points on them")
    parser.add_argument("--page", type=Path, help="where the tables go, and a plot beside them")
    parser.add_argument("--photos", type=Path, nargs="+", help="photos to show with their maps")
    parser.add_argument("--sheet", type=Path, help="where that sheet goes")
    options = parser.parse_args()
    codec = load_newest(packaged_artifacts(), [NAME], Runtime("cpu"))[NAME]
    assert isinstance(codec, ImportanceMapCodec)
    if options.sheet:
        sheet(codec, options.photos).save(options.sheet, quality=85)
    others = read(options.points) if options.points else {}
    curves: dict[str, dict[str, Points]] = {}
    for folder in options.data:
        curves[folder.name] = beside(points_of(codec, sorted(folder.glob("*.png"))), others)
        print(table(curves[folder.name]), flush=True)
    if options.page and curves:
        picture = options.page.with_suffix(".svg")
        plot(next(iter(curves.values())), picture)
        tables = {name: table(one) for name, one in curves.items()}
        photos = {name: len(one[OWN]) for name, one in curves.items()}
        options.page.write_text(page(tables, picture.name, photos))


if __name__ == "__main__":
    main()
