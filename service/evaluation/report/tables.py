"""What was measured, as Markdown for people and CSV for programs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Literal

from service.evaluation.measure.measuring import Measured
from service.evaluation.measure.metrics import Metric
from service.evaluation.measure.rate_difference import rate_difference
from service.evaluation.measure.summary import COVERED_SHARE, Cell, Counting, Curve, Mean, Reading

Unit = Literal["bytes", "bpp"]

HEADINGS: dict[Counting, str] = {"payload": "header-less payload", "file": "whole file or stream"}
MARKED_SHARE = 0.5


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def target_table(
    cells: Sequence[Cell],
    reading: Reading,
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
    unit: Unit,
) -> str:
    """One row a codec, one column a target: scores, and for the paper's rule what was spent."""
    targets = sorted({cell.target for cell in cells if cell.target is not None})
    by_place = {(cell.codec, cell.target): cell for cell in cells if cell.reading == reading}
    rows = [
        [one.title, *(_cell(by_place[one.name, target], metrics, unit) for target in targets)]
        for one in measured
        if not one.own_size
    ]
    label = "{:g} B" if unit == "bytes" else "{:g} bpp"
    return markdown(["", *(label.format(target) for target in targets)], rows)


def own_size_table(
    cells: Sequence[Cell], measured: Sequence[Measured], metrics: Sequence[Metric], unit: Unit
) -> str:
    """Placeholders at the size they have."""
    titles = {one.name: one.title for one in measured}
    rows = [
        [titles[cell.codec], _rate(cell.file_rate, unit), *_scores(cell, metrics)]
        for cell in cells
        if cell.reading == "own"
    ]
    return markdown(["own size", unit, *(metric.title for metric in metrics)], rows)


def rate_difference_table(
    curves: Sequence[Curve],
    anchors: Sequence[str],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
) -> str:
    """Bjontegaard rate differences against each anchor, with overlap and points."""
    titles = {one.name: one.title for one in measured}
    by_name = {curve.codec: curve for curve in curves}
    rows = []
    for curve in curves:
        row = [titles[curve.codec]]
        for anchor in anchors:
            row += [_difference(by_name[anchor], curve, metric) for metric in metrics]
        rows.append(row)
    head = [f"against {titles[anchor]}, {metric.title}" for anchor in anchors for metric in metrics]
    return markdown(["rate for equal quality", *head], rows)


def counted_table(measured: Sequence[Measured]) -> str:
    """What each payload is, and which library made it."""
    return markdown(
        ["", "payload", "measured with"],
        [[one.title, one.stripped, one.version] for one in measured],
    )


def cells_csv(splits: Sequence[tuple[str, Sequence[Cell]]], unit: Unit) -> str:
    """Every cell of every split; means with half their 95 % confidence interval."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(splits[0][1][0].scores) if splits and splits[0][1] else []
    writer.writerow(
        ["split", "codec", "counting", "reading", f"target_{unit}", "pictures"]
        + [f"payload_{unit}", f"payload_{unit}_ci", f"file_{unit}", f"file_{unit}_ci"]
        + ["over_share", "under_share", "covered_share"]
        + [column for name in names for column in (name, f"{name}_ci")]
    )
    for split, cells in splits:
        for cell in cells:
            means = [cell.payload_rate, cell.file_rate]
            figures = [figure for mean in means for figure in _figures(mean)]
            shares = [cell.over_share, cell.under_share, cell.covered_share]
            scores = [figure for name in names for figure in _figures(cell.scores[name])]
            writer.writerow(
                [split, cell.codec, cell.counting, cell.reading]
                + ["" if cell.target is None else f"{cell.target:g}", cell.pictures]
                + figures
                + [f"{share:.4f}" for share in shares]
                + scores
            )
    return out.getvalue()


def curves_csv(splits: Sequence[tuple[str, Sequence[Curve]]], unit: Unit) -> str:
    """Every point of every curve."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["split", "codec", "counting", unit, "metric", "mean", "ci"])
    for split, curves in splits:
        for curve in curves:
            for name, values in curve.scores.items():
                points = zip(curve.rates, values, curve.half_widths[name], strict=True)
                for rate, value, width in points:
                    figures = [f"{rate:.6g}", name, f"{value:.6f}", f"{width:.6f}"]
                    writer.writerow([split, curve.codec, curve.counting, *figures])
    return out.getvalue()


def _cell(cell: Cell, metrics: Sequence[Metric], unit: Unit) -> str:
    if cell.reading == "exact" and cell.covered_share < COVERED_SHARE:
        return "–"
    text = " / ".join(_scores(cell, metrics))
    if cell.reading == "exact":
        return text
    mark = "!" * (cell.over_share > MARKED_SHARE) + "<" * (cell.under_share > MARKED_SHARE)
    payload, file = _rate(cell.payload_rate, unit), _rate(cell.file_rate, unit)
    spent = (f"{payload}{mark}", file) if cell.counting == "payload" else (payload, f"{file}{mark}")
    return f"{text} ({' · '.join(spent)})"


def _scores(cell: Cell, metrics: Sequence[Metric]) -> list[str]:
    return [metric.text(cell.scores[metric.name].value) for metric in metrics]


def _rate(mean: Mean, unit: Unit) -> str:
    return f"{mean.value:.1f}" if unit == "bytes" else f"{mean.value:.3f}"


def _figures(mean: Mean) -> list[str]:
    return ["" if math.isnan(one) else f"{one:.6f}" for one in (mean.value, mean.half_width)]


def _difference(anchor: Curve, curve: Curve, metric: Metric) -> str:
    if anchor.codec == curve.codec:
        return "0"
    try:
        found = rate_difference(
            anchor.rates,
            metric.decibels(anchor.scores[metric.name]),
            curve.rates,
            metric.decibels(curve.scores[metric.name]),
        )
    except ValueError as reason:
        return str(reason)
    overlap = f"{found.overlap:.0%} overlap".replace("%", " %")
    return f"{found.percent:+.1f} % ({overlap}, {found.points[0]}/{found.points[1]} points)"
