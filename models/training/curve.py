"""The training curve: validation figures against pictures seen, from a run's log."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def plot(
    log: Path,
    target: Path,
    measures: tuple[str, ...] = ("ssim", "psnr"),
    seen: str = "thumbnails",
) -> None:
    """Read ``log.csv``, write a picture: a panel for the columns that begin with each measure."""
    with log.open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    figure, axes = plt.subplots(1, len(measures), figsize=(4.5 * len(measures), 3.5))
    for axis, measure in zip(axes, measures, strict=True):
        for name in (key for key in rows[0] if key.startswith(measure)):
            axis.plot([r["samples"] for r in rows], [r[name] for r in rows], label=name)
        axis.set_xlabel(f"{seen} seen")
        axis.set_ylabel(measure)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    with mpl.rc_context({"svg.hashsalt": "prefixel", "svg.fonttype": "none"}):  # words
        figure.savefig(target, metadata={"Date": None})
    plt.close(figure)
