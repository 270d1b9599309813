"""The weights of a shipped artifact, back in torch: to go on training, or to hold both against."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from models.artifact_io.names import BYTES, HALF, SCALE
from service.codec import artifact

PREFIX = "inner."


def read(folder: Path) -> dict[str, Tensor]:
    """A state dict of ``encoder.*`` and so on, float32, from an artifact's graphs."""
    opened = artifact.read(folder)
    return {
        f"{role}.{name.removeprefix(PREFIX)}": weight
        for role in opened.manifest.graphs
        for name, weight in _of_graph(opened.network(role)).items()
    }


def read_module(path: Path) -> dict[str, Tensor]:
    """A state dict, float32, of a module that ``graphs.export`` wrote."""
    return _of_graph(path.read_bytes())


def _of_graph(graph: bytes) -> dict[str, Tensor]:
    model = onnx.load_model_from_string(graph)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
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
