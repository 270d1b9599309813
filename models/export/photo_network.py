"""The synthesis network of ``photo`` -> the browser kit's file of its weights.

u32 first plane, channels, widened, blocks, told, hidden; for each layer in turn (the one that
is told; enter; around, widen, narrow and gains of each block; leave) f16 scales and biases
[outputs]; for each layer int8 weights [outputs, inputs], to be multiplied by the scale of their
output. Little endian. All gains are worked out of one layer that is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from models.artifact_io.names import BYTES, HALF, SCALE
from service.codec.artifact import Artifact
from service.errors import ArtifactError

TELL, GAINS = "told.0", "told.2"
BLOCK = ("around", "widen", "narrow", GAINS)
Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """``whole`` int8 [O, I]; ``scales`` and ``biases`` float16 [O]."""

    whole: Array
    scales: Array
    biases: Array


def pack(one: Artifact) -> bytes:
    """The file of weights. Raises ArtifactError where a stage is not of 8 bits."""
    count = sum(name.startswith("synthesis-") for name in one.manifest.graphs)
    stages = [_Stage(one, f"synthesis-{n}") for n in range(count)]
    first, *blocks, last = stages
    tell = blocks[0].layer(TELL)
    if any(not np.array_equal(block.layer(TELL).whole, tell.whole) for block in blocks):
        raise ArtifactError("blocks are told by layers of their own")
    layers = [tell, first.layer("enter")]
    layers += [block.layer(part) for block in blocks for part in BLOCK]
    layers.append(last.layer("leave"))
    widened, channels = blocks[0].layer("widen").whole.shape
    hidden, told = tell.whole.shape
    first_plane = one.manifest.config["first_plane"]
    sizes = (first_plane, channels, widened, len(blocks), told, hidden)
    floats = [part for layer in layers for part in (layer.scales, layer.biases)]
    return b"".join(
        [
            np.array(sizes, "<u4").tobytes(),
            *(part.astype("<f2").tobytes() for part in floats),
            *(np.ascontiguousarray(layer.whole).tobytes() for layer in layers),
        ]
    )


class _Stage:
    def __init__(self, one: Artifact, name: str) -> None:
        self._name = name
        graph = onnx.load_from_string(one.graph(name).read_bytes()).graph
        self._stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def layer(self, name: str) -> Layer:
        whole = self._find(f"{name}.weight{BYTES}")
        scales = self._find(f"{name}.weight{SCALE}{HALF}")
        biases = self._find(f"{name}.bias{HALF}")
        return Layer(whole.reshape(len(whole), -1), scales, biases)

    def _find(self, name: str) -> Array:
        if name not in self._stored:
            raise ArtifactError(f"{self._name} has no {name}")
        return self._stored[name]
