"""The weights of a shipped artifact, back in torch: to go on training, or to hold both against."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from models.artifact_io.names import BYTES, HALF, SCALE

PREFIX = "inner."


def read(folder: Path) -> dict[str, Tensor]:
    """A state dict of ``encoder.*`` and ``decoder.*``, float32, from an artifact's two graphs."""
    weights = {}
    for half in ("encoder", "decoder"):
        for tensor in onnx.load(folder / f"{half}.onnx").graph.initializer:
            if tensor.name.startswith(PREFIX):
                name = tensor.name.removeprefix(PREFIX).removesuffix(HALF)
                array = numpy_helper.to_array(tensor).astype("float32")
                weights[f"{half}.{name}"] = torch.from_numpy(array)
    return weights


def read_module(path: Path) -> dict[str, Tensor]:
    """A state dict, float32, of a module that ``graphs.export`` wrote."""
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    weights = {}
    for full, array in stored.items():
        name = full.removesuffix(HALF).removesuffix(BYTES)
        if not name.endswith((".weight", ".bias")):
            continue
        if full.endswith(BYTES):
            scale = stored.get(name + SCALE, stored.get(name + SCALE + HALF))
            array = array * scale.astype("float32").reshape(-1, *[1] * (array.ndim - 1))
        weights[name] = torch.from_numpy(array.astype("float32"))
    return weights
