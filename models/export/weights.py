"""The weights of a shipped artifact, back in torch: to go on training, or to hold both against."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

PREFIX, SUFFIX = "inner.", ".f16"


def read(folder: Path) -> dict[str, Tensor]:
    """A state dict of ``encoder.*`` and ``decoder.*``, float32, from an artifact's two graphs."""
    weights = {}
    for half in ("encoder", "decoder"):
        for tensor in onnx.load(folder / f"{half}.onnx").graph.initializer:
            if tensor.name.startswith(PREFIX):
                name = tensor.name.removeprefix(PREFIX).removesuffix(SUFFIX)
                array = numpy_helper.to_array(tensor).astype("float32")
                weights[f"{half}.{name}"] = torch.from_numpy(array)
    return weights
