"""What was measured of photos, as a page and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

import numpy as np

from service.evaluation.measure.metrics import METRICS, Metric
from service.evaluation.measure.rate_difference import rising
from service.evaluation.photos.measuring import (
    SMALL_BYTES,
    SMALL_MEASURES,
    TARGETS,
    Floats,
    Points,
)
from service.evaluation.photos.rates import quality_at, rate_of
from service.evaluation.report.tables import markdown

SPAN = 0.1, 1.8
"""Bits a pixel over which rates are compared."""
MISSING = "–"


def target_tables(points: Sequence[Points], measures: Sequence[Metric]) -> str:
    """Mean scores at bits a pixel: ours measured, others between their settings."""
    head = ["", *(f"{target:g}" for target in TARGETS)]
    blocks = []
    for at, measure in enumerate(measures):
        rows = [[one.title, *_at_targets(one, at, measure)] for one in points]
        blocks += [f"{measure.title}:", markdown(head, rows)]
    return "\n\n".join(blocks)


def _at_targets(points: Points, at: int, measure: Metric) -> list[str]:
    if points.settings == TARGETS:
        return [measure.text(float(mean)) for mean in points.scores[..., at].mean(0)]
    curves = [rising(*one) for one in zip(points.bpp, points.scores[..., at], strict=True)]
    wanted = np.array(TARGETS)
    means = np.mean([quality_at(*curve, wanted) for curve in curves], axis=0)
    return [MISSING if np.isnan(mean) else measure.text(float(mean)) for mean in means]


def rate_table(
    ours: Sequence[Points],
    others: Sequence[Points],
    measures: Sequence[Metric],
    span: tuple[float, float],
) -> str:
    """Bjontegaard rates of each of ours against each other, one column an order and measure."""
    head = ["against", *(f"{test.name}, {m.title}" for test in ours for m in measures)]
    rows = []
    for anchor in others:
        row = [anchor.title]
        for test in ours:
            for at, measure in enumerate(measures):
                rate = rate_of(anchor, test, at, measure, span)
                row.append(f"{percent(rate.mean_curve)} ({percent(rate.per_photo)})")
        rows.append(row)
    return markdown(head, rows)


def percent(value: float | None) -> str:
    """With its sign, as ``−4.2 %``; a dash for None."""
    if value is None:
        return MISSING
    return f"{value:+.1f} %".replace("-", "−")


def steps_text(steps: Floats) -> str:
    """The smallest step of the mean PSNR from one length to the next."""
    mean = steps.mean(0)
    gains = np.diff(mean)
    least = int(gains.argmin())
    return (
        f"Over {steps.shape[1]} lengths of each whole stream (geometric, from the header on), the"
        f" mean PSNR goes from {mean[0]:.2f} to {mean[-1]:.2f} dB; its smallest step is"
        f" {gains[least]:+.4f} dB, from length {least + 1} to {least + 2}; {int((gains < 0).sum())}"
        f" of {len(gains)} steps fall. The smallest step of any one photo is"
        f" {np.diff(steps, axis=1).min():+.4f} dB."
    ).replace("-", "−")


def small_table(small: Floats) -> str:
    """The thumbnail scaled up beside the photo's prefix of as many bytes."""
    measures = [METRICS[name] for name in SMALL_MEASURES]
    head = ["bytes"]
    for measure in measures:
        head += [f"thumbnail, {measure.title}", f"photo, {measure.title}", "photo is better on"]
    rows = []
    for index, length in enumerate(SMALL_BYTES):
        row = [f"{length:,}"]
        for at, measure in enumerate(measures):
            thumbnail, photo = small[:, index, 0, at], small[:, index, 1, at]
            better = f"{int((photo > thumbnail).sum())} of {len(photo)}"
            row += [measure.text(thumbnail.mean()), measure.text(photo.mean()), better]
        rows.append(row)
    return markdown(head, rows)


def points_csv(points: Sequence[Points], names: Sequence[str], measures: Sequence[Metric]) -> str:
    """One row a photo, codec and setting."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["codec", "photo", "setting", "bpp", *(measure.name for measure in measures)])
    for one in points:
        for photo, name in enumerate(names):
            for at, setting in enumerate(one.settings):
                scores = (f"{score:.6g}" for score in one.scores[photo, at])
                row = [one.name, name, f"{setting:g}", f"{one.bpp[photo, at]:.6g}", *scores]
                writer.writerow(row)
    return out.getvalue()
