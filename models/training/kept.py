"""Unfinished trainings, small enough to keep: ``python -m models.training.kept RUN TARGET.npz``.

What is kept is the averaged weights and how they came about, not the optimizer: training goes on
with ``--start-from TARGET.npz``.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DROPPED_BITS = 2
"""Of the ten bits of a float16's mantissa: after a training they are noise, which packs badly."""
HISTORY = "history"


def write(run: Path, target: Path) -> None:
    """The averaged weights of a run's folder, its plan and the last row of its log.

    Raises FileNotFoundError when the folder holds no checkpoint.
    """
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    with (run / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    pack(state["averaged"], {"plan": state["plan"], "last": last}, target)


def pack(weights: dict[str, Tensor], history: dict[str, Any], target: Path) -> None:
    """Weights and how they came about, as ``read`` and ``history`` read them."""
    arrays = {name: rounded(weight.cpu().numpy()) for name, weight in weights.items()}
    told = np.array(json.dumps(history))
    np.savez_compressed(target, **arrays, **{HISTORY: told})  # type: ignore[arg-type]


def read(path: Path) -> dict[str, Tensor]:
    """Weights by name, float32."""
    with np.load(path) as z:
        return {n: torch.from_numpy(z[n].astype(np.float32)) for n in z.files if n != HISTORY}


def history(path: Path) -> dict[str, Any]:
    """What was kept beside the weights."""
    with np.load(path) as z:
        told: dict[str, Any] = json.loads(str(z[HISTORY]))
    return told


def rounded(weights: NDArray[np.float32]) -> NDArray[np.float16]:
    """To float16, with the last bits zero."""
    whole = weights.astype(np.float16).view(np.uint16).astype(np.int64)
    kept = (whole + (1 << DROPPED_BITS >> 1)) >> DROPPED_BITS << DROPPED_BITS
    return kept.astype(np.uint16).view(np.float16)


def main() -> None:
    """Keep a run."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.kept",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="folder of a training")
    parser.add_argument("target", type=Path, help="what to write (.npz)")
    options = parser.parse_args()
    write(options.run, options.target)


if __name__ == "__main__":
    main()
