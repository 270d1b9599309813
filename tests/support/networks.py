"""An embedded artifact with small networks of random weights around the shipped tables."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from service.codec import artifact
from service.settings import packaged_artifacts
from tests.service.inference.graphs import serialised

WIDTH = 8
PICTURE = ["N", 32, 32, 3]


def untrained(folder: Path, **graphs: bytes) -> Path:
    """A copy of ``prefixel``'s artifact in ``folder`` that has these graphs, by their roles."""
    shutil.copytree(packaged_artifacts() / "prefixel", folder)
    path = folder / artifact.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["graphs"] = {}
    for role, graph in graphs.items():
        (folder / f"{role}.onnx").write_bytes(graph)
        manifest["graphs"][role] = {
            "file": f"{role}.onnx",
            "sha256": hashlib.sha256(graph).hexdigest(),
            "inputs": ["painted", "known"] if role == "synthesis" else ["picture"],
            "outputs": ["picture"] if role == "synthesis" else ["analysed"],
        }
    path.write_text(json.dumps(manifest))
    return folder


def analysis(seed: int = 1) -> bytes:
    """``picture`` -> ``analysed``: two convolutions' correction, a few levels."""
    return _network("picture", "analysed", 0, seed)


def synthesis(known: int = 18, seed: int = 2) -> bytes:
    """``painted`` and ``known`` -> ``picture``: the same, shifted by what is known."""
    return _network("painted", "picture", known, seed)


def _network(given: str, result: str, known: int, seed: int) -> bytes:
    draw = np.random.default_rng(seed)
    weights = {
        "w1": draw.normal(0, 0.02, (WIDTH, 3, 3, 3)),
        "b1": draw.normal(0, 0.5, WIDTH),
        "w2": draw.normal(0, 0.3, (3, WIDTH, 3, 3)),
        "b2": draw.normal(0, 0.5, 3),
    }
    convolution = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    inputs = [helper.make_tensor_value_info(given, TensorProto.FLOAT, PICTURE)]
    nodes = [
        helper.make_node("Transpose", [given], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w1", "b1"], ["h"], **convolution),
        helper.make_node("Relu", ["h"], ["g"]),
        helper.make_node("Conv", ["g", "w2", "b2"], ["found"], **convolution),
        helper.make_node("Transpose", ["found"], ["correction"], perm=[0, 2, 3, 1]),
        helper.make_node("Add", [given, "correction"], ["sum" if known else result]),
    ]
    integers = {}
    if known:
        weights["u"] = draw.normal(0, 0.3, (known, 3))
        integers["axes"] = np.array([1, 2], np.int64)
        inputs.append(helper.make_tensor_value_info("known", TensorProto.FLOAT, ["N", known]))
        nodes += [
            helper.make_node("MatMul", ["known", "u"], ["steering"]),
            helper.make_node("Unsqueeze", ["steering", "axes"], ["shift"]),
            helper.make_node("Add", ["sum", "shift"], [result]),
        ]
    graph = helper.make_graph(
        nodes,
        "network",
        inputs,
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, PICTURE)],
        [
            numpy_helper.from_array(values, name)
            for name, values in {
                **{name: values.astype(np.float32) for name, values in weights.items()},
                **integers,
            }.items()
        ],
    )
    return serialised(graph)
