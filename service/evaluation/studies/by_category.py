"""Pictures of several kinds (folders within the data): ours against one baseline, kind by kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from service.evaluation.measure.measuring import Measured
from service.evaluation.measure.metrics import Metric
from service.evaluation.measure.rate_matching import nearest_not_under
from service.evaluation.measure.summary import rates_of
from service.evaluation.report.same_bytes import at_bytes
from service.evaluation.report.tables import markdown

Floats = NDArray[np.float64]


def kinds_of(names: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """Kind to the indices of its pictures; a picture's kind is the folder that it lies in.

    Empty when a picture lies in no folder, or all in one.
    """
    folders = [PurePosixPath(name).parent.as_posix() for name in names]
    kinds = sorted(set(folders))
    if "." in kinds or len(kinds) < 2:
        return {}
    return {kind: np.flatnonzero([folder == kind for folder in folders]) for kind in kinds}


def by_kind(
    names: Sequence[str],
    ours: Sequence[Measured],
    baseline: Measured,
    targets: Sequence[float],
    metrics: Sequence[Metric],
) -> list[str]:
    """Markdown: how far each of ours is over ``baseline``, and in words where it is under.

    The baseline spends by the paper's rule at ``targets`` (bytes, header-less); ours is cut, header
    counted, at the bytes that it really spent on that very picture. No kinds: [].
    """
    kinds = kinds_of(names)
    if not kinds:
        return []
    report = [
        f"## Kind by kind, against {baseline.title}",
        "Gain in " + " / ".join(metric.title for metric in metrics) + ", mean over the kind, of"
        f" whole streams over {baseline.title} at the header-less bytes (in brackets) that it spent"
        " on the same picture, the setting being nearest to the target and never under it; bold:"
        " under.",
    ]
    for one in ours:
        rows, under = [], []
        for kind, index in kinds.items():
            found = [_gains(one, baseline, index, target, metrics) for target in targets]
            rows.append([f"{kind} ({len(index)})", *(_cell(*each, metrics) for each in found)])
            for place, metric in enumerate(metrics):
                gains = [gain[place] for _, gain in found]
                losses = [
                    target
                    for target, gain in zip(targets, gains, strict=True)
                    if _is_under(metric, gain)
                ]
                if losses:
                    worst = metric.text(-min(gains))
                    at = ", ".join(f"{target:g}" for target in losses)
                    under.append(f"{kind} by up to {worst} {metric.title} (at {at} B)")
        report.append(markdown([one.title, *(f"{target:g} B" for target in targets)], rows))
        where = "; ".join(under) if under else "nothing"
        report.append(f"{one.title} is under {baseline.title} on: {where}.")
    return report


def _cell(spent_bytes: float, gains: Sequence[float], metrics: Sequence[Metric]) -> str:
    texts = []
    for metric, gain in zip(metrics, gains, strict=True):
        text = metric.gain_text(gain)
        texts.append(f"**{text}**" if _is_under(metric, gain) else text)
    return f"{' / '.join(texts)} ({spent_bytes:.0f})"


def _is_under(metric: Metric, gain: float) -> bool:
    """As far as the table's digits show it."""
    return metric.gain_text(gain).startswith("−")


def _gains(
    one: Measured,
    baseline: Measured,
    index: NDArray[np.intp],
    target: float,
    metrics: Sequence[Metric],
) -> tuple[float, list[float]]:
    rates = rates_of(baseline, "payload", None)
    rows = np.arange(len(rates))
    chosen = nearest_not_under(rates, np.full(len(rates), target)).index
    spent: Floats = rates[rows, chosen]
    gains = []
    for metric in metrics:
        found = at_bytes(one, spent, metric.name) - baseline.scores[metric.name][rows, chosen]
        gains.append(float(found[index].mean()))
    return float(spent[index].mean()), gains
