"""Graphs of the artifacts give through torch what they give through ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from service.codec import artifact
from service.codec.registry import folders
from service.inference import Runtime
from service.settings import packaged_artifacts

torch_runtime = pytest.importorskip("tests.support.torch_runtime")
FOLDER = packaged_artifacts()
GRAPHS = [
    (folder, role)
    for mine in folders(FOLDER).values()
    for folder in mine
    for role, graph in artifact.read_manifest(folder).graphs.items()
    if not graph.file.endswith(artifact.PACKED)
]


@pytest.mark.parametrize(("folder", "role"), GRAPHS, ids=lambda part: getattr(part, "name", part))
def test_a_graph_gives_the_same(folder: Path, role: str) -> None:
    graph, draw = artifact.read(folder).network(role), np.random.default_rng(0)
    one, other = (
        runtime.session(graph)
        for runtime in (Runtime("cpu", 1), torch_runtime.TorchRuntime("cpu", 1))
    )
    assert (one.inputs, one.outputs) == (other.inputs, other.outputs)
    given = {}
    for tensor in one.inputs:
        # sides of maps are larger than what a kernel looks at
        named = {name: 3 if name == "N" else 12 for name in tensor.shape if isinstance(name, str)}
        shape = [named.get(length, length) for length in tensor.shape]
        given[tensor.name] = draw.uniform(0, 1, shape).astype(tensor.dtype)
    wanted, found = one.run(given), other.run(given)
    for name, array in wanted.items():
        differs = np.abs(array - found[name]) > 1e-3 + 1e-3 * np.abs(array)
        assert differs.mean() < 1e-3, name  # a sign may be drawn the other way
