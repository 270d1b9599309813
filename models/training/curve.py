"""The training curve: validation SSIM and PSNR against thumbnails seen, from a run's log."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def plot(log: Path, target: Path) -> None:
    """Read ``log.csv``, write a picture beside it."""
    with log.open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5))
    for axis, measure in zip(axes, ("ssim", "psnr"), strict=True):
        for name in (key for key in rows[0] if key.startswith(measure)):
            axis.plot([r["samples"] for r in rows], [r[name] for r in rows], label=name)
        axis.set_xlabel("thumbnails seen")
        axis.set_ylabel(measure)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)
