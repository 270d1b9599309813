"""``python -m models.mentzer compare DIR ...``: what the paper claims of training, beside networks.

Bits a pixel at equal MS-SSIM, out of the ``table.csv`` that sessions and ``statistics`` leave: one
network beside those of several rates that were trained in another way, between whose points the
logarithm of the rate is a straight line over MS-SSIM in decibels; nothing is extrapolated. By two
entropy models: the network P, and integer tables that were counted in the same way for all
(``exact``). Where only P's bits differ from the paper's order, P is what lacks training; where the
tables' do as well, it is the autoencoder.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Row = dict[str, float | str]
"""A network's line of a table: ``run`` and numbers."""
JOINT = ("joint-15", "joint", "joint-50", "joint-75")
"""All the same system, at four targets."""
AFTERWARDS = ("afterwards-8", "afterwards-16")
"""Without rate, without map, P afterwards: 8 channels and 16."""
RATES = ("context", "exact")


@dataclass(frozen=True)
class Claim:
    """A curve beside a run, and what it saves of that one's bits in print, if that says."""

    curve: tuple[str, ...]
    run: str
    text: str
    printed: str = ""


CLAIMS = (
    Claim(JOINT, "afterwards-8", "joint against P afterwards, 8 channels", "-22 %"),
    Claim(JOINT, "afterwards-16", "joint against P afterwards, 16 channels", "-22 %"),
    Claim(JOINT, "no-map", "joint against joint without map"),
    Claim(JOINT, "unmasked", "masked cost against the cost of all symbols"),
    Claim(AFTERWARDS, "no-map", "P afterwards against joint without map"),
)


def decibels(ms_ssim: float) -> float:
    """-10 log10(1 - MS-SSIM)."""
    return -10 * math.log10(1 - ms_ssim)


def joint_rate(points: Sequence[tuple[float, float]], ms_ssim: float) -> float | None:
    """Bits a pixel of the joint curve, (MS-SSIM, bits) each; None beyond its ends."""
    quality, bits = np.array(sorted(points)).T
    if not quality[0] <= ms_ssim <= quality[-1]:
        return None
    x = [decibels(value) for value in quality]
    return float(np.exp(np.interp(decibels(ms_ssim), x, np.log(bits))))


def compared(rows: Sequence[Row]) -> str:
    """Markdown: a curve's bits for a network's, at that one's MS-SSIM."""
    named = {str(row["run"]): row for row in rows}
    lines = ["| | MS-SSIM | by P | by tables | printed |", "|-|-|-|-|-|"]
    for claim in CLAIMS:
        curve = [named[name] for name in claim.curve if name in named]
        if (other := named.get(claim.run)) is None or len(curve) < 2:
            continue
        quality = float(other["ms_ssim"])
        cells = []
        for rate in RATES:
            points = [(float(row["ms_ssim"]), float(row[rate])) for row in curve]
            ours, theirs = joint_rate(points, quality), float(other[rate])
            cells.append(
                f"{theirs:.3f}, not in reach"
                if ours is None
                else f"{ours:.3f} for {theirs:.3f}: {ours / theirs - 1:+.1%}"
            )
        lines.append(f"| {claim.text} | {quality:.4f} | {' | '.join(cells)} | {claim.printed} |")
    for row in (named[name] for name in JOINT if name in named):
        left = float(row["masked"]) / float(row["context"]) - 1
        lines.append(
            f"| masked cost against C, {row['run']} | {float(row['ms_ssim']):.4f} |"
            f" {row['masked']:.3f} for {row['context']:.3f}: {left:+.1%} | | -3.5 % |"
        )
    return "\n".join(lines) + "\n"


def write(rows: Sequence[Row], path: Path) -> None:
    """As ``read`` reads them."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def read(folders: Sequence[Path]) -> list[Row]:
    """Rows of all tables in these folders. Raises OSError."""
    rows: list[Row] = []
    for folder in folders:
        with (folder / "table.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                rows.append({name: _number(value) for name, value in row.items()})
    return rows


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
