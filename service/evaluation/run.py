"""A whole evaluation: measure, sum up, write tables, curves, plots and a contact sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import progress as bars
from rich.console import Console

from service.codec.header import HEADER_BYTES
from service.codec.interface import Codec
from service.evaluation.baselines import Baseline
from service.evaluation.data.pictures import Pictures
from service.evaluation.measure.caching import ResultCache
from service.evaluation.measure.costs import Cost, baseline_speed, codec_speed, cost_table, machine
from service.evaluation.measure.measuring import Advance, Measured, measure_baseline, measure_codec
from service.evaluation.measure.metrics import Metric
from service.evaluation.measure.progressive import (
    Progress,
    level_ends,
    levels_table,
    progress_of,
    progress_table,
)
from service.evaluation.measure.summary import Cell, Counting, Curve, cells_of, curve_of
from service.evaluation.measure.workers import worker_pool
from service.evaluation.report.contact_sheet import contact_sheet
from service.evaluation.report.paper_comparison import beside_paper
from service.evaluation.report.paper_table import TARGETS as PRINTED_TARGETS
from service.evaluation.report.plots import plot_curves
from service.evaluation.report.same_bytes import HEADING as SAME_BYTES_HEADING
from service.evaluation.report.same_bytes import same_bytes
from service.evaluation.report.tables import (
    HEADINGS,
    Unit,
    cells_csv,
    counted_table,
    curves_csv,
    own_size_table,
    rate_difference_table,
    target_table,
)
from service.evaluation.studies.by_category import by_kind

ANCHORS = ("jpeg", "avif")
CURVE_REACH = 2.0
"""Curves go on to this many times the largest target."""

PREFIXES = 16
SPEED_BYTES = 64
"""Prefixes whose painting is timed have so much payload."""

LIBRARIES = ("numpy", "pillow", "scikit-image", "bjontegaard")


@dataclass(frozen=True)
class Subject:
    """One of our codecs, loaded; ``fingerprint`` stands for its artifact in the cache."""

    codec: Codec
    fingerprint: str
    parameters: int | None
    kmac_per_pixel: Mapping[str, float]


@dataclass(frozen=True)
class EvaluationPlan:
    """What to evaluate; ``splits`` are pairs start, stop within ``pictures``.

    ``targets`` are in ``unit``; ``sheet`` are the pictures of the contact sheet (None: no sheet)
    at ``sheet_bytes``. ``workers`` processes run the baselines. ``cache`` is the folder in which
    measurements are kept.
    """

    subjects: Sequence[Subject]
    baselines: Sequence[Baseline]
    pictures: Pictures
    splits: Sequence[tuple[int, int]]
    targets: Sequence[float]
    unit: Unit
    countings: Sequence[Counting]
    metrics: Sequence[Metric]
    out: Path
    cache: Path
    workers: int
    title: str = "Evaluation"
    fresh: bool = False
    speed: bool = False
    sheet: Pictures | None = None
    sheet_bytes: int = 64


def evaluate(plan: EvaluationPlan, console: Console) -> str:
    """Run the plan; the report as Markdown, which is also in ``out/report.md``.

    Beside it ``cells.csv``, ``curves.csv``, a plot for each split and counting, and the contact
    sheet. ``console`` shows progress. The report is the same for the same plan, but for speeds.
    Raises ConfigurationError for a plan that cannot be.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    ends = {subject.codec.name: _ends(plan, subject) for subject in plan.subjects}
    measured = _measure(plan, ends, console)
    variants = {baseline.name for baseline in plan.baselines if baseline.variant}
    report = [_head(plan)]
    all_cells: list[tuple[str, list[Cell]]] = []
    all_curves: list[tuple[str, list[Curve]]] = []
    for start, stop in plan.splits:
        label = f"{start}..{stop - 1}"
        part = [one.part(slice(start, stop)) for one in measured]
        pixels = plan.pictures.pixels[start:stop] if plan.unit == "bpp" else None
        for counting in plan.countings:
            cells, curves = _sum_up(plan, part, counting, pixels)
            all_cells.append((label, cells))
            all_curves.append((label, curves))
            report += _block(plan, label, counting, measured, cells, curves)
            plot_curves(
                plan.out / f"rate-distortion-{start}-{stop - 1}-{counting}.png",
                [curve for curve in curves if curve.codec not in variants],
                [cell for cell in cells if cell.reading == "own"],
                {one.name: one.title for one in measured},
                plan.metrics,
                plan.unit,
                f"pictures {label}, mean and 95 % confidence",
            )
        report += _comparisons(plan, label, part)
        rows = _progress_rows(plan, part, ends)
        if rows:
            first = [row for row in rows if row[1] is plan.metrics[0]]
            report += [
                f"## Pictures {label}, progressive",
                progress_table(rows),
                f"{plan.metrics[0].title} after each level of whole streams, and the share of"
                " pictures on which it is better than the level before:",
                levels_table(first),
            ]
    if plan.unit == "bytes":
        report += _kinds(plan, measured)
    report += ["## What is counted", counted_table(measured)]
    costs = _costs(plan, measured)
    if costs:
        report += ["## What it costs", cost_table(costs)]
    if plan.speed:
        report.append(
            f"Median of batches of up to 64 on {machine()}; prefixes of {SPEED_BYTES} bytes of"
            " payload; baselines in one thread, at the middle of their settings."
        )
    if plan.sheet is not None:
        contact_sheet(
            plan.out / "contact-sheet.webp",
            plan.sheet,
            [subject.codec for subject in plan.subjects],
            [baseline for baseline in plan.baselines if not baseline.variant],
            plan.sheet_bytes,
            plan.countings[0],
        )
    text = "\n\n".join(report) + "\n"
    (plan.out / "report.md").write_text(text, encoding="utf-8")
    (plan.out / "cells.csv").write_text(cells_csv(all_cells, plan.unit), encoding="utf-8")
    (plan.out / "curves.csv").write_text(curves_csv(all_curves, plan.unit), encoding="utf-8")
    return text


def prefix_lengths(codec: Codec, targets: Sequence[float], more: Sequence[int] = ()) -> list[int]:
    """Prefixes to paint, in bytes: targets counted both ways, a grid for curves, and ``more``."""
    low, high = max(codec.minimum_bytes, HEADER_BYTES + 1), codec.maximum_bytes
    grid = np.geomspace(low, max(low, high), PREFIXES).round().astype(int).tolist()
    exact = [int(target) + extra for target in targets for extra in (0, HEADER_BYTES)]
    return sorted({*grid, *exact, *more})


def _measure(
    plan: EvaluationPlan, ends: Mapping[str, Sequence[int]], console: Console
) -> list[Measured]:
    cache = ResultCache(plan.cache, read=not plan.fresh)
    names = [metric.name for metric in plan.metrics]
    others, ours = [], []
    with _progress(console) as track:
        with worker_pool(plan.workers) as executor:
            for baseline in plan.baselines:
                advance = track(baseline.name, len(plan.pictures))
                others.append(
                    measure_baseline(baseline, plan.pictures, names, cache, executor, advance)
                )
        own = {int(size) for one in others if one.own_size for size in np.unique(one.file_bytes)}
        for subject in plan.subjects:
            codec = subject.codec
            lengths = prefix_lengths(codec, plan.targets, [*ends[codec.name], *own])
            advance = track(codec.name, len(plan.pictures))
            ours.append(
                measure_codec(
                    codec, subject.fingerprint, lengths, plan.pictures, names, cache, advance
                )
            )
    return ours + others


def _ends(plan: EvaluationPlan, subject: Subject) -> list[int]:
    """Ends of levels; none for pictures of another size: measuring refuses them with the reason."""
    side = subject.codec.picture_size
    if plan.pictures.rgb[0].shape != (side, side, 3):
        return []
    return level_ends(subject.codec, plan.pictures.rgb[0])


def _progress_rows(
    plan: EvaluationPlan, part: Sequence[Measured], ends: Mapping[str, Sequence[int]]
) -> list[tuple[str, Metric, Progress]]:
    return [
        (one.title, metric, progress_of(one, ends[one.name], metric.name))
        for one in part
        if len(ends.get(one.name, ())) > 1
        for metric in plan.metrics
    ]


def _comparisons(plan: EvaluationPlan, label: str, part: Sequence[Measured]) -> list[str]:
    """Blocks that set ours beside others and beside the paper, where the plan holds both."""
    if plan.unit != "bytes" or not (plan.subjects and plan.baselines):
        return []
    ours, others = part[: len(plan.subjects)], part[len(plan.subjects) :]
    report = []
    if len(plan.countings) > 1:
        report += [
            f"## Pictures {label}, {SAME_BYTES_HEADING}",
            *same_bytes(ours, others, plan.targets, plan.metrics, ANCHORS[0]),
        ]
    if set(PRINTED_TARGETS) <= set(plan.targets) and "payload" in plan.countings:
        found = beside_paper(part)
        report += [f"## Pictures {label}, beside the paper's table", *found] if found else []
    return report


def _kinds(plan: EvaluationPlan, measured: Sequence[Measured]) -> list[str]:
    """Kind by kind, where the pictures are of several and the first anchor was measured."""
    ours, others = measured[: len(plan.subjects)], measured[len(plan.subjects) :]
    anchor = next((one for one in others if one.name == ANCHORS[0]), None)
    if anchor is None or not ours:
        return []
    return by_kind(plan.pictures.names, ours, anchor, plan.targets, plan.metrics)


def _sum_up(
    plan: EvaluationPlan,
    part: Sequence[Measured],
    counting: Counting,
    pixels: NDArray[np.int64] | None,
) -> tuple[list[Cell], list[Curve]]:
    cells = [cell for one in part for cell in cells_of(one, counting, plan.targets, pixels)]
    limit = CURVE_REACH * max(plan.targets)
    curves = [curve_of(one, counting, limit, pixels) for one in part if not one.own_size]
    return cells, curves


def _head(plan: EvaluationPlan) -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    scores = " / ".join(metric.title for metric in plan.metrics)
    return (
        f"# {plan.title}\n\nData: {plan.pictures.describe()}.\n"
        f"Prefixel {version('prefixel')}, {libraries}.\nScores: {scores}."
    )


def _block(
    plan: EvaluationPlan,
    label: str,
    counting: Counting,
    measured: Sequence[Measured],
    cells: Sequence[Cell],
    curves: Sequence[Curve],
) -> list[str]:
    unit = "bytes" if plan.unit == "bytes" else "bits per pixel"
    report = [
        f"## Pictures {label}, {HEADINGS[counting]}",
        f"Nearest setting, never under the target; in brackets the {unit} really spent:"
        " header-less payload · whole file. `!`: of most pictures even the smallest setting is"
        " over the target; `<`: even the largest is under it.",
        target_table(cells, "nearest", measured, plan.metrics, plan.unit),
        f"At exactly the target ({HEADINGS[counting]}), each picture interpolated between its"
        " neighbouring settings; `–`: fewer than 99 of 100 pictures reach it.",
        target_table(cells, "exact", measured, plan.metrics, plan.unit),
    ]
    if any(one.own_size for one in measured):
        report.append(own_size_table(cells, measured, plan.metrics, plan.unit))
    anchors = [name for name in ANCHORS if any(curve.codec == name for curve in curves)]
    if anchors:
        report += [
            "Bjontegaard rate differences (PCHIP over the mean curves, SSIM in dB):",
            rate_difference_table(curves, anchors, measured, plan.metrics),
        ]
    return report


def _costs(plan: EvaluationPlan, measured: Sequence[Measured]) -> list[Cost]:
    titles = {one.name: one.title for one in measured}
    found = []
    prefix = SPEED_BYTES + HEADER_BYTES
    for subject in plan.subjects:
        speed = codec_speed(subject.codec, plan.pictures, prefix) if plan.speed else (None, None)
        title = titles[subject.codec.name]
        found.append(Cost(title, subject.parameters, subject.kmac_per_pixel, *speed))
    for baseline in plan.baselines if plan.speed else ():
        found.append(
            Cost(titles[baseline.name], None, {}, *baseline_speed(baseline, plan.pictures))
        )
    return found


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, int], Advance]]:
    """Gives a function that opens a bar for a name and a count, and returns what advances it."""
    columns = bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn()
    with bars.Progress(*columns, bars.TimeRemainingColumn(), console=console) as progress:

        def track(name: str, total: int) -> Advance:
            task = progress.add_task(name, total=total)
            return lambda count: progress.advance(task, count)

        yield track
