"""The rows of the ablation as they are kept and shown: a file each, one page of them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from models.prefixel.training import SCORED_BYTES
from service.evaluation.measure.costs import machine
from service.evaluation.report.tables import markdown

PAGE = "ablation.md"


@dataclass(frozen=True)
class Line:
    """``scores`` as ``prefix_scores`` names them; ``more`` are other columns, by heading."""

    title: str
    scores: dict[str, float]
    more: dict[str, str] = field(default_factory=dict)

    def cells(self, more: Sequence[str]) -> list[str]:
        """The line of a table that has these other columns."""
        scored = [
            f"{self.scores[f'ssim_{n}']:.4f} / {self.scores[f'psnr_{n}']:.2f}" for n in SCORED_BYTES
        ]
        return [self.title, *(self.more.get(name, "") for name in more), *scored]


@dataclass(frozen=True)
class Section:
    """A table: which rows it shows, and which columns beside the scores."""

    title: str
    text: str
    rows: tuple[str, ...]
    more: tuple[str, ...] = ()


SECTIONS = (
    Section(
        "Trained apart",
        "Each from the closed form, on equally many thumbnails, far fewer than the shipped weights"
        " have seen: compare the lines with each other.",
        ("closed-form", "small", "no-analysis", "blind", "squared", "structural"),
        ("thumbnails",),
    ),
    Section(
        "Size of the synthesis",
        "Trained as above. MMAC: million multiplications and additions a thumbnail.",
        ("narrow", "small", "wide"),
        ("weights", "MMAC", "thumbnails"),
    ),
    Section(
        "Weights of the synthesis",
        "The same networks with all their bits, and with the 8-bit kernels that are shipped.",
        ("weights",),
    ),
    Section(
        "Context",
        "The shipped networks with tables counted anew: over 16 rows of what the neighbours tell,"
        " and over one.",
        ("shipped", "context"),
    ),
    Section(
        "Effort",
        "Whole streams, coded and cut; ms of processor and of time for a thumbnail, in batches.",
        ("efforts",),
        ("ms of processor", "ms"),
    ),
    Section(
        "Bits or trits",
        "A simulation without networks and contexts (`models/prefixel/trits.py`): planes whose"
        " cells are two or three times narrower each.",
        ("trits",),
    ),
)


def keep(out: Path, row: str, lines: Sequence[Line]) -> None:
    """Write the lines of a row beside the others."""
    text = json.dumps([asdict(line) for line in lines], indent=1)
    (out / f"{row}.json").write_text(text + "\n")


def kept(out: Path, row: str) -> list[Line]:
    """The lines of a row; none where it was not made yet."""
    path = out / f"{row}.json"
    return [Line(**line) for line in json.loads(path.read_text())] if path.exists() else []


def write(out: Path, pictures: int) -> None:
    """Write the page of all rows that there are."""
    lengths = ", ".join(map(str, SCORED_BYTES))
    parts = [
        "# What each part of `prefixel` is worth",
        f"SSIM / dB of prefixes of {lengths} bytes, header included, by ideal code lengths where"
        f" nothing else is said; means over {pictures} validation thumbnails. {machine()}."
        " Printed by `python -m models.prefixel.ablation`.",
    ]
    for section in SECTIONS:
        lines = [line for row in section.rows for line in kept(out, row)]
        if lines:
            head = ["", *section.more, *(f"{length} B" for length in SCORED_BYTES)]
            table = markdown(head, [line.cells(section.more) for line in lines])
            parts += [f"## {section.title}", section.text, table]
    (out / PAGE).write_text("\n\n".join(parts) + "\n")
