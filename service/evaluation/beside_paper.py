"""Our measurements beside the paper's printed table, and whether its order holds here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from service.evaluation.choosing import nearest_not_under
from service.evaluation.measuring import Measured
from service.evaluation.printed import ORDER, ROWS, SOURCE, TARGETS, Printed
from service.evaluation.summary import mean_of, rates_of
from service.evaluation.tables import markdown

REFERENCE = "JPEG"
METRIC = "ssim"

Here = Mapping[str, Mapping[int, "Answer"]]


class Answer:
    """What one row scores here at one target: by picture, and the payload really spent."""

    def __init__(self, measured: Measured, target: int) -> None:
        """``target`` is in bytes, without headers; the setting is nearest, never under it."""
        rates = rates_of(measured, "payload", None)
        rows = np.arange(len(rates))
        index = nearest_not_under(rates, np.full(len(rates), float(target))).index
        self.scores: NDArray[np.float64] = measured.scores[METRIC][rows, index]
        self.spent_bytes = float(rates[rows, index].mean())

    @property
    def mean(self) -> float:
        """Mean SSIM over the pictures."""
        return float(self.scores.mean())


def answers(part: Sequence[Measured]) -> Here:
    """Every printed row that was measured, by its title and target in bytes."""
    by_name = {one.name: one for one in part if METRIC in one.scores}
    found = {}
    for row in ROWS:
        there = {t: Answer(by_name[row.names[t]], t) for t in TARGETS if row.names[t] in by_name}
        if there:
            found[row.title] = there
    return found


def beside_paper(part: Sequence[Measured]) -> list[str]:
    """Markdown: the table, why the figures differ, and the order of pairs; nothing to compare: [].

    Needs JPEG, which says how far the data differ, and one of the systems.
    """
    here = answers(part)
    systems = [row for row in ROWS if row.spent_bytes is None and row.title in here]
    if REFERENCE not in here or not systems:
        return []
    return [_table(here), _why(here), _pairs(here)]


def _table(here: Here) -> str:
    head = ["SSIM (header-less bytes spent)"]
    for target in TARGETS:
        head += [f"{target} B, printed", "here", "over JPEG, printed", "here"]
    reference = _row_of(REFERENCE)
    rows = []
    for row in ROWS:
        if row.title not in here:
            continue
        line = [row.title]
        for target in TARGETS:
            spent = "" if row.spent_bytes is None else f" ({row.spent_bytes[target]:g})"
            line.append(f"{_plain(row.ssim[target], 2)}{spent}")
            answer, jpeg = here[row.title].get(target), here[REFERENCE][target]
            lead = _signed(row.ssim[target] - reference.ssim[target], 2)
            if answer is None:
                line += ["", lead, ""]
            else:
                line.append(f"{_plain(answer.mean, 3)} ({answer.spent_bytes:.1f})")
                line += [lead, _signed(answer.mean - jpeg.mean, 3)]
        rows.append(line)
    return markdown(head, rows)


def _why(here: Here) -> str:
    printed, jpeg = _row_of(REFERENCE), here[REFERENCE]
    figures = " and ".join(
        f"{_plain(jpeg[t].mean, 3)} at {t} bytes, where {_plain(printed.ssim[t], 2)} is printed"
        for t in TARGETS
    )
    return (
        f"Printed: {SOURCE}. The paper's photos (from the web, not published) are not these, and"
        f" that moves every row: JPEG, which no training changes, gets {figures}. Compare the leads"
        " over JPEG, not the scores. The paper's networks also had 216 million photos to learn from"
        " and far more weights; what ours had is in their manifests."
    )


def _pairs(here: Here) -> str:
    head = ["pairs of the paper's order"]
    for target in TARGETS:
        head += [f"{target} B, printed", "here"]
    rows = []
    for first, second in ORDER:
        if first not in here or second not in here:
            continue
        line = [f"{first} − {second}"]
        for target in TARGETS:
            line.append(_signed(_row_of(first).ssim[target] - _row_of(second).ssim[target], 2))
            one, other = here[first].get(target), here[second].get(target)
            if one is None or other is None:
                line.append("")
            else:
                found = mean_of(one.scores - other.scores)
                line.append(f"{_signed(found.value, 3)} ± {_plain(found.half_width, 3)}")
        rows.append(line)
    return markdown(head, rows) + "\n\n± is half the 95 % confidence interval of the paired mean."


def _row_of(title: str) -> Printed:
    return next(row for row in ROWS if row.title == title)


def _plain(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".removeprefix("0")


def _signed(value: float, digits: int) -> str:
    rounded = round(value, digits)
    return f"{'−' if rounded < 0 else '+'}{_plain(abs(rounded), digits)}"
