"""Our measurements beside the paper's printed table, and whether its order holds here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.evaluation.measure.measuring import Measured
from service.evaluation.measure.rate_matching import nearest_not_under
from service.evaluation.measure.summary import mean_of, rates_of
from service.evaluation.report.paper_table import ORDER, ROWS, SOURCE, TARGETS, Printed
from service.evaluation.report.tables import markdown

REFERENCE = "JPEG"
METRIC = "ssim"


@dataclass(frozen=True)
class Answer:
    """What a codec of ours or of today scores at a printed target, and the payload really spent."""

    mean_ssim: float
    spent_bytes: float


Answers = Mapping[tuple[str, int], Answer]
"""By the name of the codec and the target in bytes, without headers."""

Scores = Mapping[tuple[str, int], NDArray[np.float64]]
"""The same picture by picture: SSIM [I]."""


def scores_of(part: Sequence[Measured]) -> tuple[Answers, Scores]:
    """What every printed row scores here: the setting is nearest to the target, never under it."""
    answers, scores = {}, {}
    for one in part:
        rates = rates_of(one, "payload", None)
        rows = np.arange(len(rates))
        for target in TARGETS if METRIC in one.scores else ():
            index = nearest_not_under(rates, np.full(len(rates), float(target))).index
            found = one.scores[METRIC][rows, index]
            scores[one.name, target] = found
            spent = float(rates[rows, index].mean())
            answers[one.name, target] = Answer(float(found.mean()), spent)
    return answers, scores


def beside_paper(part: Sequence[Measured]) -> list[str]:
    """Markdown: the table, why the figures differ, and the order of pairs; nothing to compare: [].

    Needs JPEG, which says how far the data differ, and one of the systems.
    """
    answers, scores = scores_of(part)
    systems = [row for row in _rows(answers) if row.spent_bytes is None]
    if not systems or _row_of(REFERENCE) not in _rows(answers):
        return []
    return [paper_table(answers), paper_note(answers), _pairs(scores)]


def paper_table(answers: Answers) -> str:
    """The printed rows that are answered, as printed and as measured, with their leads over JPEG.

    Raises KeyError when JPEG is not answered.
    """
    head = ["SSIM (header-less bytes spent)"]
    for target in TARGETS:
        head += [f"{target} B, printed", "here", "over JPEG, printed", "here"]
    reference = _row_of(REFERENCE)
    rows = []
    for row in _rows(answers):
        line = [row.title]
        for target in TARGETS:
            spent = "" if row.spent_bytes is None else f" ({row.spent_bytes[target]:g})"
            line.append(f"{_plain(row.ssim[target], 2)}{spent}")
            lead = _signed(row.ssim[target] - reference.ssim[target], 2)
            answer = answers.get((row.names[target], target))
            jpeg = answers[reference.names[target], target]
            if answer is None:
                line += ["", lead, ""]
            else:
                line.append(f"{_plain(answer.mean_ssim, 3)} ({answer.spent_bytes:.1f})")
                line += [lead, _signed(answer.mean_ssim - jpeg.mean_ssim, 3)]
        rows.append(line)
    return markdown(head, rows)


def paper_note(answers: Answers) -> str:
    """Why the figures differ from the printed ones, with what JPEG gets on both data."""
    printed = _row_of(REFERENCE)
    figures = " and ".join(
        f"{_plain(answers[printed.names[t], t].mean_ssim, 3)} at {t} bytes, where"
        f" {_plain(printed.ssim[t], 2)} is printed"
        for t in TARGETS
    )
    return (
        f"Printed: {SOURCE}. The paper's photos (from the web, not published) are not these, and"
        f" that moves every row: JPEG, which no training changes, gets {figures}. Compare the leads"
        " over JPEG, not the scores. The paper's networks also had 216 million photos to learn from"
        " and far more weights; what ours had is in their manifests."
    )


def _pairs(scores: Scores) -> str:
    head = ["pairs of the paper's order"]
    for target in TARGETS:
        head += [f"{target} B, printed", "here"]
    rows = []
    for first, second in ((_row_of(one), _row_of(other)) for one, other in ORDER):
        line = [f"{first.title} − {second.title}"]
        known = False
        for target in TARGETS:
            line.append(_signed(first.ssim[target] - second.ssim[target], 2))
            one, other = (scores.get((row.names[target], target)) for row in (first, second))
            if one is None or other is None:
                line.append("")
            else:
                found = mean_of(one - other)
                line.append(f"{_signed(found.value, 3)} ± {_plain(found.half_width, 3)}")
                known = True
        if known:
            rows.append(line)
    return markdown(head, rows) + "\n\n± is half the 95 % confidence interval of the paired mean."


def _rows(answers: Answers) -> list[Printed]:
    """Printed rows with an answer at one target at least."""
    return [row for row in ROWS if any((row.names[t], t) in answers for t in TARGETS)]


def _row_of(title: str) -> Printed:
    return next(row for row in ROWS if row.title == title)


def _plain(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".removeprefix("0")


def _signed(value: float, digits: int) -> str:
    rounded = round(value, digits)
    return f"{'−' if rounded < 0 else '+'}{_plain(abs(rounded), digits)}"
