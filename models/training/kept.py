"""Unfinished trainings, small enough to keep: ``python -m models.training.kept RUN TARGET.npz``.

What is kept is the averaged weights and how they came about, not the optimizer: training goes on
with ``--start-from TARGET.npz``.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DROPPED_BITS = 2
"""Of the ten bits of a float16's mantissa: after a training they are noise, which packs badly."""
HISTORY = "history"
SCALE = "/scale"


def write(run: Path, target: Path) -> None:
    """The averaged weights of a run's folder, its plan and the last row of its log.

    Raises FileNotFoundError when the folder holds no checkpoint.
    """
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    with (run / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    pack(state["averaged"], {"plan": state["plan"], "last": last}, target)


def pack(
    weights: Mapping[str, Tensor], history: Mapping[str, object], target: Path, bits: int = 16
) -> None:
    """Weights as ``arrays`` gives them, and how they came about."""
    text = json.dumps(history)
    np.savez_compressed(target, **arrays(weights, bits), **{HISTORY: np.array(text)})  # type: ignore[arg-type]


def arrays(weights: Mapping[str, Tensor], bits: int = 16) -> dict[str, NDArray[Any]]:
    """As float16; or kernels in fewer bits, at most 8: whole numbers of a scale for each output."""
    packed: dict[str, NDArray[Any]] = {}
    for name, weight in weights.items():
        array = weight.cpu().numpy()
        if bits == 16 or array.ndim < 2:
            packed[name] = rounded(array)
            continue
        rows = array.reshape(len(array), -1)
        scale = np.abs(rows).max(axis=1) / (2 ** (bits - 1) - 1) + 1e-12
        packed[name] = np.rint(rows / scale[:, None]).astype(np.int8).reshape(array.shape)
        packed[name + SCALE] = scale.astype(np.float32)
    return packed


def read(path: Path) -> dict[str, Tensor]:
    """Weights by name, float32."""
    with np.load(path) as z:
        return unpacked({name: z[name] for name in z.files if name != HISTORY})


def unpacked(packed: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """What ``arrays`` made of weights, float32."""
    weights = {}
    for name, stored in packed.items():
        if name.endswith(SCALE):
            continue
        array = stored.astype(np.float32)
        if name + SCALE in packed:
            array *= packed[name + SCALE].reshape(-1, *[1] * (array.ndim - 1))
        weights[name] = torch.from_numpy(array)
    return weights


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
