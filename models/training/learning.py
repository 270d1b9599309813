"""How every system's score grew: ``python -m models.training.learning NAME=LOG,LOG ... --out SVG``.

Draws validation SSIM at 64 and at 128 bytes against thumbnails seen and against compute, a line a
system, and prints a table. Logs of one system that continue each other are given in order; what
they saw and computed adds up. A log without the column ``gmac`` is followed by ``@`` and its
iterations: its multiplications are then counted.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from models.training import compute
from models.zoo.catalogue import SYSTEMS

BUDGETS = (64, 128)
VALIDATION = "0..299"
"""The thumbnails that the trainer measures, as a split of ``prefixel evaluate``."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """One system's logs, end to end: thumbnails seen, forward GMAC, seconds, SSIM by budget."""

    name: str
    samples: Floats
    gmac: Floats
    seconds: Floats
    ssim: dict[int, Floats]


def read(name: str, logs: Sequence[str]) -> Learned:
    """Logs as ``PATH`` or ``PATH@ITERATIONS``.

    Raises ValueError for a log with no row, or without ``gmac`` where no iterations are given.
    """
    columns: dict[str, list[float]] = {key: [] for key in ("samples", "gmac", "seconds")}
    scores: dict[int, list[float]] = {}
    for spec in logs:
        path, _, iterations = spec.partition("@")
        with Path(path).open(newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise ValueError(f"{path} has no row")
        each = 0.0
        if "gmac" not in rows[0]:
            if not iterations:
                raise ValueError(f"{path} has no column gmac: give its iterations, {path}@N")
            system = SYSTEMS[name]
            model = system.build(system.configs["small"])
            each = compute.macs(model, int(iterations)) / 1e9
        before = {key: values[-1] if values else 0.0 for key, values in columns.items()}
        for row in rows:
            row.setdefault("gmac", str(float(row["samples"]) * each))
            for key, values in columns.items():
                values.append(before[key] + float(row[key]))
            for budget in BUDGETS:
                if f"ssim_{budget}" in row:
                    scores.setdefault(budget, []).append(float(row[f"ssim_{budget}"]))
    seen = {key: np.array(values) for key, values in columns.items()}
    return Learned(name, **seen, ssim={key: np.array(values) for key, values in scores.items()})


def last_doubling(samples: Floats, scores: Floats) -> float:
    """What the second half of all thumbnails seen added; NaN if the log begins after the half."""
    half = samples[-1] / 2
    if samples[0] > half:
        return float("nan")
    return float(scores[-1] - np.interp(half, samples, scores))


def table(learned: Sequence[Learned]) -> str:
    """One row a system: what it saw and computed, its scores, what the last doubling gave."""
    head = ["", "thumbnails seen", "forward GMAC", "hours"]
    head += [f"SSIM at {budget} B (last doubling)" for budget in BUDGETS]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for one in learned:
        line = [one.name, f"{one.samples[-1]:,.0f}", f"{one.gmac[-1]:,.0f}"]
        line.append(f"{one.seconds[-1] / 3600:.2f}")
        for budget in BUDGETS:
            scores = one.ssim.get(budget)
            if scores is None:
                line.append("")
                continue
            gain = last_doubling(one.samples, scores)
            line.append(f"{scores[-1]:.3f} ({gain:+.3f})" if gain == gain else f"{scores[-1]:.3f}")
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def jpeg_lines(cells: Path) -> dict[int, float]:
    """JPEG's SSIM by budget on the same thumbnails, from the ``cells.csv`` of an evaluation.

    Raises ValueError when it has none.
    """
    with cells.open(newline="") as file:
        found = {
            int(row["target_bytes"]): float(row["ssim"])
            for row in csv.DictReader(file)
            if (row["split"], row["codec"], row["counting"]) == (VALIDATION, "jpeg", "payload")
            and row["reading"] == "nearest"
            and row["target_bytes"] in map(str, BUDGETS)
        }
    if set(found) != set(BUDGETS):
        raise ValueError(f"{cells} has no JPEG on the pictures {VALIDATION} at {BUDGETS} bytes")
    return found


def plot(learned: Sequence[Learned], jpeg: dict[int, float], target: Path) -> None:
    """A row of panels a budget: against thumbnails seen, and against compute."""
    figure, panels = plt.subplots(len(BUDGETS), 2, figsize=(11, 8), sharey="row")
    colours = {one.name: f"C{index}" for index, one in enumerate(learned)}
    for row, budget in zip(panels, BUDGETS, strict=True):
        for one in learned:
            if budget not in one.ssim:
                continue
            for panel, x in zip(row, (one.samples, one.gmac), strict=True):
                panel.plot(x, one.ssim[budget], color=colours[one.name], label=one.name)
        for panel, label in zip(row, ("thumbnails seen", "forward GMAC"), strict=True):
            if budget in jpeg:
                panel.axhline(jpeg[budget], color="black", linestyle=":", label="JPEG 4:2:0")
            panel.set_xscale("log")
            panel.minorticks_off()
            panel.set_xlabel(label)
            panel.grid(alpha=0.3)
        row[0].set_ylabel(f"SSIM (8x8 blocks) at {budget} bytes")
        row[0].legend(fontsize="small")
    figure.tight_layout()
    with mpl.rc_context({"svg.hashsalt": "prefixel", "svg.fonttype": "none"}):  # words
        figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


def main(words: Sequence[str] | None = None) -> None:
    """Read the logs, print the table, write the plot."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.learning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("logs", nargs="+", metavar="NAME=LOG[@N],...", help="a system and its logs")
    parser.add_argument("--cells", type=Path, help="cells.csv of an evaluation: JPEG's line")
    parser.add_argument("--out", type=Path, required=True, help="the plot (.svg, .png)")
    options = parser.parse_args(words)
    learned = []
    for spec in options.logs:
        name, _, logs = spec.partition("=")
        learned.append(read(name, logs.split(",")))
    print(table(learned))
    plot(learned, jpeg_lines(options.cells) if options.cells else {}, options.out)


if __name__ == "__main__":
    main()
