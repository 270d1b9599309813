"""Tables of scores in the README and in docs, from the ``cells.csv`` that an evaluation wrote."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from service.errors import ConfigurationError
from service.evaluation.baselines import BASELINES
from service.evaluation.measure.metrics import METRICS
from service.evaluation.measure.summary import COVERED_SHARE
from service.evaluation.report.paper_comparison import Answer, paper_note, paper_table
from service.evaluation.report.paper_table import TARGETS
from service.evaluation.report.tables import markdown

Row = dict[str, str]
SHOWN = ("ssim", "psnr")
HEADLINE = ("prefixel@default", "prefixel@best", "jpeg", "webp", "avif")
HEADLINE_TARGETS = ("64", "128", "256")
VARIANTS = frozenset(name for name, baseline in BASELINES.items() if baseline.variant)


def read_cells(path: Path) -> list[Row]:
    """Rows of the last split of a ``cells.csv``: what nothing was tuned on comes last.

    Raises ConfigurationError when it cannot be read, or holds no cell in bytes.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    if not rows or "target_bytes" not in rows[0]:
        raise ConfigurationError(f"{path} holds no cells of an evaluation in bytes")
    return [row for row in rows if row["split"] == rows[-1]["split"]]


def scores(rows: Sequence[Row]) -> str:
    """Every codec, header-less, at every target: SSIM / dB, and what was really spent."""
    chosen = [row for row in rows if _is(row, "payload", "nearest")]
    return f"{_by_target(chosen)}\n\n{_pictures(rows)}"


def same_bytes(rows: Sequence[Row]) -> str:
    """Ours counted whole, today's codecs without their headers, at exactly the target."""
    chosen = [row for row in rows if _is(row, _fair_counting(row["codec"]), "exact")]
    first = list(dict.fromkeys(row["codec"] for row in rows))
    table = _by_target(sorted(chosen, key=lambda row: first.index(row["codec"])))
    own = [
        f"{_title(row['codec'])} has {_scores(row)} at its own {float(row['file_bytes']):.0f} bytes"
        for row in rows
        if _is(row, "file", "own")
    ]
    return "\n\n".join([table, f"{_pictures(rows)} {'; '.join(own)}." if own else _pictures(rows)])


def headline(rows: Sequence[Row]) -> str:
    """Our own codec and today's, each at exactly the target: what a reader asks for first."""
    chosen = [
        row
        for row in rows
        if row["codec"] in HEADLINE
        and row["target_bytes"] in HEADLINE_TARGETS
        and _is(row, _fair_counting(row["codec"]), "exact")
    ]
    chosen.sort(key=lambda row: HEADLINE.index(row["codec"]))
    return f"{_by_target(chosen)}\n\n{_pictures(rows)}"


def paper(rows: Sequence[Row]) -> str:
    """The seven systems beside the paper's table. Raises ConfigurationError without JPEG."""
    answers = {
        (row["codec"], int(row["target_bytes"])): Answer(
            float(row["ssim"]), float(row["payload_bytes"])
        )
        for row in rows
        if _is(row, "payload", "nearest") and row["target_bytes"] in map(str, TARGETS)
    }
    if not all(("jpeg", target) in answers for target in TARGETS):
        raise ConfigurationError(f"the cells have no JPEG at {TARGETS} bytes, header-less")
    return f"{paper_table(answers)}\n\n{_pictures(rows)} {paper_note(answers)}"


def _by_target(rows: Sequence[Row]) -> str:
    targets = sorted({int(row["target_bytes"]) for row in rows if row["target_bytes"]})
    names = [name for name in dict.fromkeys(row["codec"] for row in rows) if name not in VARIANTS]
    lines = []
    for name in names:
        found = {row["target_bytes"]: row for row in rows if row["codec"] == name}
        lines.append([_title(name), *(_cell(found[str(target)]) for target in targets)])
    return markdown(["SSIM / dB", *(f"{target} B" for target in targets)], lines)


def _pictures(rows: Sequence[Row]) -> str:
    return f"Means over the pictures {rows[0]['split']}."


def _cell(row: Row) -> str:
    if row["reading"] == "exact":
        return _scores(row) if float(row["covered_share"]) >= COVERED_SHARE else "–"
    spent = round(float(row["payload_bytes"]))
    return _scores(row) + ("" if spent == int(row["target_bytes"]) else f" ({spent})")


def _scores(row: Row) -> str:
    return " / ".join(METRICS[name].text(float(row[name])) for name in SHOWN)


def _is(row: Row, counting: str, reading: str) -> bool:
    return (row["counting"], row["reading"]) == (counting, reading)


def _fair_counting(name: str) -> str:
    return "payload" if name in BASELINES else "file"


def _title(name: str) -> str:
    return BASELINES[name].title.partition(",")[0] if name in BASELINES else f"`{name}`"
