"""The recurrent codecs on whole photos: the tables of their papers, printed figures beside ours.

Rates are nominal: an iteration is 1/8 bit a pixel. JPEG is 4:2:0 with its standard tables, counted
without headers where 2016 does, and whole where Bjontegaard savings are. Pictures are computed by
the encoder, whose decoder is the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.codec.geometry import Size
from service.codec.pixels import Pixels
from service.codec.recurrent.codec import to_rgb
from service.codec.recurrent.full_resolution import FullResolutionCodec
from service.evaluation.baselines import find_baselines
from service.evaluation.baselines.base import Baseline
from service.evaluation.measure.metrics import METRICS
from service.evaluation.photos.measures import score
from service.evaluation.photos.measuring import Points
from service.evaluation.photos.rates import rate_of
from service.evaluation.report.tables import markdown

MEASURES = tuple(METRICS[name] for name in ("psnr", "standard-ssim", "ms-ssim"))
STEP = 0.125
TARGETS = 0.5, 1.0, 2.0
QUALITIES = 2, 4, 7, 11, 16, 22, 30, 40, 52, 66, 80, 90, 96
OTHER_SETTINGS = 8
"""How many of theirs other codecs are measured at."""
SPAN = STEP, 2.0
Floats = NDArray[np.float64]
Seen = Callable[[str, int, float, Pixels], None]
"""Codec, number of the picture, bits a pixel, and what is painted."""

PRINTED_AREA = {
    "Baseline (L1)": (59.42, 19.06, 32.96),
    "DSSIM": (60.46, 20.17, 33.43),
    "Prime": (60.94, 20.56, 33.84),
    "Best": (61.40, 21.02, 34.20),
    "Diffusion 0": (58.73, 18.75, 31.89),
    "Diffusion 1": (59.91, 19.62, 33.05),
    "Diffusion 2": (59.81, 19.38, 32.85),
    "Diffusion 3": (60.35, 19.87, 33.40),
}
"""2017, tables 1 and 2: areas under the curves in dB on Kodak, of PSNR, SSIM, MS-SSIM."""
AREA_OF = {"gru-entropy": "Baseline (L1)", "gru-dssim": "DSSIM", "gru-prime": "Prime"}

PRINTED_SAVING = {
    "Prime, entropy coded, adaptive": (27.14, 39.97, 43.17),
    "Prime, entropy coded": (19.29, 36.51, 41.70),
    "Prime": (12.20, 30.89, 36.32),
    "JPEG 2000 (OpenJPEG)": (38.28, 24.80, 15.99),
    "WebP": (36.33, 29.85, 26.85),
    "2016": (-13.34, -1.86, 12.93),
}
"""2017, table 3: Bjontegaard savings in percent of JPEG's bits on Kodak."""
SAVING_OF = {"gru-prime": "Prime", "gru-entropy": "2016", "webp": "WebP"}
OTHERS = "jpeg2000", "webp", "avif"


@dataclass(frozen=True)
class Entry:
    """A codec and what its training cost, in 10^12 multiplications forward; None: unknown."""

    codec: FullResolutionCodec
    training_tmac: float | None
    kmac: Mapping[str, float]


def evaluate_recurrent(
    entries: Sequence[Entry],
    pictures: Sequence[Pixels],
    told: Callable[[str], None],
    seen: Seen | None = None,
) -> str:
    """The page's tables. ``seen`` is called with what is painted at ``TARGETS``."""
    jpeg, *others = find_baselines(["jpeg", *OTHERS])
    whole, without_header = _files(jpeg, pictures)
    told("JPEG is measured")
    alternatives = [_files(one, pictures)[0] for one in others]
    told("the others are measured")
    ours = []
    for entry in entries:
        ours.append(_points(entry.codec, pictures, seen))
        told(f"{entry.codec.name} is measured")
    blocks = [
        "## 2016, the supplement's comparison",
        _comparison(entries, ours, without_header),
        "## 2017, tables 1 and 2: area under the curve, .125 to 2 bpp nominal",
        _areas(entries, ours),
        "## 2017, table 3: savings of bits against JPEG (whole files)",
        _savings(ours, [whole, *alternatives]),
    ]
    return "\n\n".join(blocks) + "\n"


def middle(picture: Pixels, side: int) -> Pixels:
    """The square in the middle, or as much of it as there is."""
    top, left = (max(0, (length - side) // 2) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def _points(codec: FullResolutionCodec, pictures: Sequence[Pixels], seen: Seen | None) -> Points:
    steps = STEP * np.arange(1, codec.iterations + 1)
    scores = []
    for number, picture in enumerate(pictures):
        size, mine = Size.of(picture), []
        for bpp, (_, planes) in zip(steps, codec.steps(picture), strict=True):
            [shown] = to_rgb(planes[:, :, : size.height, : size.width])
            mine.append(score(MEASURES, picture, shown))
            if seen and bpp in TARGETS:
                seen(codec.name, number, float(bpp), shown)
        scores.append(mine)
    bpp = np.tile(steps, (len(pictures), 1))
    return Points(codec.name, codec.name, tuple(steps.tolist()), bpp, np.array(scores))


def _files(baseline: Baseline, pictures: Sequence[Pixels]) -> tuple[Points, Points]:
    """Counted whole, and without headers."""
    settings = baseline.settings
    if baseline.name == "jpeg":
        settings = QUALITIES
    elif len(settings) > OTHER_SETTINGS:
        settings = settings[:: -(-len(settings) // OTHER_SETTINGS)]
    rates: tuple[list[list[float]], list[list[float]]] = [], []
    scores = []
    for picture in pictures:
        size = picture.shape[0], picture.shape[1]
        files = [baseline.encode(picture, setting) for setting in settings]
        files.sort(key=len)
        bits = 8 / (size[0] * size[1])
        rates[0].append([bits * len(file) for file in files])
        rates[1].append([bits * len(baseline.split(file).payload) for file in files])
        scores.append([score(MEASURES, picture, baseline.decode(file, size)) for file in files])
    known = baseline.name, baseline.title, tuple(map(float, settings))
    whole, without_header = (Points(*known, np.array(r), np.array(scores)) for r in rates)
    return whole, without_header


def _comparison(entries: Sequence[Entry], ours: Sequence[Points], jpeg: Points) -> str:
    head = ["", "training, TMAC forward", "coding, kMAC a pixel"]
    head += [f"{bpp:g} bpp: {measure.name}" for bpp in TARGETS for measure in MEASURES]
    rows = [["JPEG 4:2:0, header-less", "", "", *_texts(_at_least(jpeg, bpp) for bpp in TARGETS)]]
    for entry, points in zip(entries, ours, strict=True):
        tmac = "?" if entry.training_tmac is None else f"{entry.training_tmac:.1f}"
        means = (points.scores[:, round(bpp / STEP) - 1].mean(0) for bpp in TARGETS)
        rows.append([f"`{points.name}`", tmac, f"{entry.kmac['encode']:.0f}", *_texts(means)])
    return markdown(head, rows)


def _texts(means: Iterable[Floats]) -> list[str]:
    return [m.text(float(v)) for mean in means for m, v in zip(MEASURES, mean, strict=True)]


def _at_least(points: Points, bpp: float) -> Floats:
    """Each picture's smallest file that is no smaller than that, as the papers count; the mean."""
    found = [
        scores[min(int(np.searchsorted(rates, bpp)), len(rates) - 1)]
        for rates, scores in zip(points.bpp, points.scores, strict=True)
    ]
    return np.asarray(np.mean(found, 0), np.float64)


def _areas(entries: Sequence[Entry], ours: Sequence[Points]) -> str:
    head = ["", "training, TMAC forward", *(f"{measure.name}" for measure in MEASURES)]
    rows = []
    for entry, points in zip(entries, ours, strict=True):
        tmac = "?" if entry.training_tmac is None else f"{entry.training_tmac:.1f}"
        rows.append([f"`{points.name}`", tmac, *(f"{area:.2f}" for area in areas(points))])
        if (printed := AREA_OF.get(points.name)) is not None:
            rows.append([f"printed: {printed}", "", *_printed(PRINTED_AREA[printed])])
    shown = {AREA_OF.get(points.name) for points in ours}
    rows += [
        [f"printed: {name}", "", *_printed(values)]
        for name, values in PRINTED_AREA.items()
        if name not in shown
    ]
    return markdown(head, rows)


def areas(points: Points) -> list[float]:
    """Under the mean curves in decibels, by the trapezoid rule."""
    found = []
    for at, measure in enumerate(MEASURES):
        curve = measure.decibels(points.scores[..., at].mean(0))
        found.append(float(np.trapezoid(curve, points.bpp[0])))
    return found


def _savings(ours: Sequence[Points], whole: Sequence[Points]) -> str:
    jpeg, *others = whole
    head = ["", *(measure.name for measure in MEASURES)]
    rows = []
    for points in (*ours, *others):
        rates = [rate_of(jpeg, points, at, m, SPAN) for at, m in enumerate(MEASURES)]
        found = ["–" if r.mean_curve is None else f"{-r.mean_curve:.1f} %" for r in rates]
        rows.append([points.title, *(text.replace("-", "−") for text in found)])
    rows += [
        [f"printed: {name}", *(f"{value:.2f} %".replace("-", "−") for value in values)]
        for name, values in PRINTED_SAVING.items()
    ]
    return markdown(head, rows)


def _printed(values: Sequence[float]) -> list[str]:
    return [f"{value:.2f}" for value in values]
