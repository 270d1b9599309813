"""Kernels of the synthesis as bytes: the same ones in every graph that an export writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from models.export import graphs
from models.prefixel import export as exporting
from models.prefixel.networks import Config, Networks, Shape
from service.inference import Runtime


def kernels_of(path: Path) -> list[np.ndarray]:
    """What the convolutions of a graph are given, in the graph's order: float32 [O, I, 3, 3]."""
    model = onnx.load(path)
    names = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    wanted = sorted(set(names))
    weights = onnx.utils.Extractor(model).extract_model([], wanted)
    found = Runtime("cpu", 1).session(weights.SerializeToString()).run({})
    return [found[name] for name in names]


def test_both_graphs_of_the_synthesis_convolve_with_the_very_same_kernels(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = Networks(Config(Shape(40, 1, 1), None))
    convolutions = [m for m in model.synthesis.modules() if isinstance(m, torch.nn.Conv2d)]
    for convolution in convolutions:
        torch.nn.init.normal_(convolution.weight)
    first, dense, last, *block = (m.weight.detach().clone() for m in convolutions)
    exact = [first, dense, *block, last]
    exporting.export(model.eval(), tmp_path, eight_bits=True)
    forward = kernels_of(tmp_path / "synthesis.onnx")
    both = kernels_of(tmp_path / "gradient.onnx")
    turned = [turned_around(kernel) for kernel in reversed(forward)]
    assert [k.shape for k in forward] == [tuple(k.shape) for k in exact]
    assert len(both) == 2 * len(forward)
    for kernel, same in zip([*forward, *turned], both, strict=True):
        np.testing.assert_array_equal(kernel, same)
    edges = {0, 1, len(exact) - 1}
    for n, (kernel, rounded) in enumerate(zip(exact, forward, strict=True)):
        largest = graphs.LARGEST[n not in edges]  # fewer levels in the block
        assert 0 < np.abs(kernel.numpy() - rounded).max() < np.abs(rounded).max() / largest
    for name in ("synthesis", "gradient"):
        held = onnx.load(tmp_path / f"{name}.onnx").graph.initializer
        assert {w.data_type for w in held if len(w.dims) == 4} == {TensorProto.INT8}


def turned_around(kernel: np.ndarray) -> np.ndarray:
    """As a gradient needs it; a kernel of each channel alone keeps its axes."""
    return np.flip(kernel if kernel.shape[1] == 1 else kernel.swapaxes(0, 1), (2, 3))


@pytest.mark.parametrize("axis", [0, 1])
def test_bytes_are_of_either_axis_and_only_of_what_was_rounded(axis: int) -> None:
    def graph(kernel: torch.Tensor) -> onnx.ModelProto:
        held = [numpy_helper.from_array(kernel.numpy(), "kernel")]
        return helper.make_model(helper.make_graph([], "one", [], [], initializer=held))

    kernel = torch.randn(5, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    with pytest.raises(ValueError, match="kernel was not rounded to bytes"):
        graphs.store_as_bytes(graph(kernel))
    model = graph(graphs.round_to_bytes(kernel).transpose(0, axis).contiguous())
    graphs.store_as_bytes(model)
    assert helper.get_node_attr_value(model.graph.node[0], "axis") == axis


def test_matrices_become_bytes_only_where_they_were_rounded() -> None:
    matrix = torch.randn(5, 12, generator=torch.Generator().manual_seed(1))
    held = [
        numpy_helper.from_array(m.numpy(), name)
        for name, m in (("exact", matrix), ("rounded", graphs.round_to_bytes(matrix)))
    ]
    model = helper.make_model(helper.make_graph([], "one", [], [], initializer=held))
    graphs.store_as_bytes(model)
    kinds = {weight.name: weight.data_type for weight in model.graph.initializer}
    assert kinds["rounded.i8"] == TensorProto.INT8
    assert kinds["exact"] == TensorProto.FLOAT


def test_rounding_to_bytes_is_close_and_done_once() -> None:
    kernel = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    rounded = graphs.round_to_bytes(kernel)
    assert float((rounded - kernel).abs().max() / kernel.abs().max()) < 1 / 127
    assert not torch.equal(rounded, kernel)
    assert torch.equal(graphs.round_to_bytes(rounded), rounded)
