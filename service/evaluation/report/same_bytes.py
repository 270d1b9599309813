"""Whole streams of ours, headers counted, against what others reach without their headers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.evaluation.measure.measuring import Measured
from service.evaluation.measure.metrics import Metric
from service.evaluation.measure.rate_difference import rate_difference
from service.evaluation.measure.rate_matching import at_exactly, nearest_not_under
from service.evaluation.measure.summary import COVERED_SHARE, Cell, cells_of, mean_of, rates_of
from service.evaluation.report.tables import markdown, target_table

Floats = NDArray[np.float64]

RULE_POINTS = 24
HEADING = "whole streams of ours against header-less payloads of others"


def same_bytes(
    ours: Sequence[Measured],
    others: Sequence[Measured],
    targets: Sequence[float],
    metrics: Sequence[Metric],
    anchor: str,
) -> list[str]:
    """Markdown blocks: at exactly the targets; Bjontegaard rates; at the placeholders' own bytes.

    ``targets`` in bytes. ``anchor`` names the one of ``others`` that rates are compared with.
    """
    report = [
        "At exactly the target, each picture interpolated between its neighbouring settings: ours"
        " are whole streams, headers counted; others header-less payloads. `–`: fewer than 99 of"
        " 100 pictures reach it.",
        target_table(_cells(ours, others, targets), "exact", [*ours, *others], metrics, "bytes"),
    ]
    found = next((one for one in others if one.name == anchor), None)
    if found is not None:
        report += _rates(ours, found, targets, metrics)
    rows = [
        row
        for placeholder in others
        if placeholder.own_size
        for row in _at_own_bytes(placeholder, ours, metrics)
    ]
    if rows:
        head = ["at each picture's own bytes", "bytes", *(m.title for m in metrics)]
        head += [f"{metric.title}, gain" for metric in metrics]
        report.append(markdown(head, rows))
    return report


def rule_points(measured: Measured, targets: Floats, metric: str) -> tuple[Floats, Floats]:
    """What the paper's rule really spends, and scores, at each target: means [T], in bytes."""
    rates = rates_of(measured, "payload", None)
    rows = np.arange(len(rates))
    chosen = [nearest_not_under(rates, np.full(len(rates), t)).index for t in targets]
    return (
        np.array([rates[rows, index].mean() for index in chosen]),
        np.array([measured.scores[metric][rows, index].mean() for index in chosen]),
    )


def stream_points(measured: Measured, limit: float, metric: str) -> tuple[Floats, Floats]:
    """Mean bytes of whole streams and mean score of every prefix of at most ``limit`` bytes."""
    sizes = measured.file_bytes.mean(axis=0)
    kept = sizes <= limit
    return sizes[kept], measured.scores[metric].mean(axis=0)[kept]


def at_bytes(measured: Measured, wanted: Floats, metric: str) -> Floats:
    """Score [I] of whole streams cut at each picture's ``wanted`` bytes [I]; NaN: too few."""
    return at_exactly(rates_of(measured, "file", None), measured.scores[metric], wanted)


def _cells(
    ours: Sequence[Measured], others: Sequence[Measured], targets: Sequence[float]
) -> list[Cell]:
    whole = [cell for one in ours for cell in cells_of(one, "file", targets, None)]
    return whole + [cell for one in others for cell in cells_of(one, "payload", targets, None)]


def _rates(
    ours: Sequence[Measured], anchor: Measured, targets: Sequence[float], metrics: Sequence[Metric]
) -> list[str]:
    low, high = min(targets), max(targets)
    grid = np.geomspace(low, high, RULE_POINTS)
    rows = []
    for one in ours:
        row = [one.title]
        for metric in metrics:
            reference = rule_points(anchor, grid, metric.name)
            rates, scores = stream_points(one, high, metric.name)
            try:
                found = rate_difference(
                    reference[0], metric.decibels(reference[1]), rates, metric.decibels(scores)
                )
            except ValueError as reason:
                row.append(str(reason))
                continue
            reach = reference[1][[0, -1]]
            low_db, high_db = metric.decibels(reach)
            covered = (found.high - found.low) / (high_db - low_db)
            row.append(f"{found.percent:+.1f} % (over {100 * covered:.0f} % of its range)")
        rows.append(row)
    spent = rule_points(anchor, grid[[0, -1]], metrics[0].name)[0]
    return [
        f"Bjontegaard rate differences (PCHIP over mean curves, SSIM in dB) against {anchor.title}:"
        f" its points are what the paper's rule spends at {RULE_POINTS} targets from {low:g} to"
        f" {high:g} bytes, from {spent[0]:.1f} to {spent[1]:.1f} bytes of payload (at the lowest"
        f" target most pictures have no setting that spends less); ours are every prefix measured"
        f" up to {high:g} bytes. The mean is over the quality that both reach; in brackets how much"
        f" of the range of {anchor.title} that is (in dB).",
        markdown(["rate for equal quality", *(metric.title for metric in metrics)], rows),
    ]


def _at_own_bytes(
    placeholder: Measured, ours: Sequence[Measured], metrics: Sequence[Metric]
) -> list[list[str]]:
    sizes = placeholder.file_bytes[:, 0].astype(np.float64)
    own = {metric.name: placeholder.scores[metric.name][:, 0] for metric in metrics}
    spent = f"{sizes.mean():.1f}"
    texts = [metric.text(float(own[metric.name].mean())) for metric in metrics]
    rows = [[placeholder.title, spent, *texts, *[""] * len(metrics)]]
    for one in ours:
        found = {metric.name: at_bytes(one, sizes, metric.name) for metric in metrics}
        if np.mean([~np.isnan(values) for values in found.values()]) < COVERED_SHARE:
            rows.append([one.title, "it has no prefix so short", *[""] * 2 * len(metrics)])
            continue
        row = [one.title, spent]
        row += [metric.text(float(np.nanmean(found[metric.name]))) for metric in metrics]
        for metric in metrics:
            gains = found[metric.name] - own[metric.name]
            gain = mean_of(gains[~np.isnan(gains)])
            row.append(f"{metric.gain_text(gain.value)} ± {metric.text(gain.half_width)}")
        rows.append(row)
    return rows
