"""Weights for the browser come out of a synthesis graph as they went in, or not at all."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.export.browser import ARTIFACT, Layer, generate, pack, read_layers
from service.codec import artifact
from service.errors import ArtifactError

KNOWN = 18
WIDTHS = (12, 8, 8, 12)


def some_layers() -> list[Layer]:
    draw = np.random.default_rng(4)
    return [
        Layer(
            draw.integers(-127, 128, (outputs, inputs, 3, 3)).astype(np.int8),
            draw.uniform(0.001, 0.01, outputs).astype(np.float16).astype(np.float32),
            draw.normal(size=outputs).astype(np.float16).astype(np.float32),
            draw.normal(size=(outputs, KNOWN)).astype(np.float16).astype(np.float32),
        )
        for inputs, outputs in pairwise(WIDTHS)
    ]


def graph_of(layers: list[Layer], product: str = "Gemm", weights: str = "int8") -> onnx.ModelProto:
    """Steered convolutions; biases and steering lie in float16 and are cast."""
    nodes, initial, before = [], [], "picture"
    for n, layer in enumerate(layers):
        arrays = {"weights": layer.weights, "scales": layer.scales}
        halves = {"biases": layer.biases, "steering": layer.steering}
        if product == "MatMul":
            halves["steering"] = layer.steering.T
        if weights == "float":
            arrays["weights"] = layer.weights.astype(np.float32)
        arrays |= {name: value.astype(np.float16) for name, value in halves.items()}
        initial += [numpy_helper.from_array(a, f"{name}{n}") for name, a in arrays.items()]
        nodes += [
            helper.make_node("Cast", [f"{name}{n}"], [f"{name}{n}f"], to=TensorProto.FLOAT)
            for name in halves
        ]
        taken = f"weights{n}"
        if weights == "int8":
            taken = f"weights{n}f"
            inputs = [f"weights{n}", f"scales{n}"]
            nodes.append(helper.make_node("DequantizeLinear", inputs, [taken], axis=0))
        nodes.append(
            helper.make_node("Conv", [before, taken, f"biases{n}f"], [f"c{n}"], pads=[1, 1, 1, 1])
        )
        attributes = {"transB": 1} if product == "Gemm" else {}
        nodes.append(helper.make_node(product, ["known", f"steering{n}f"], [f"s{n}"], **attributes))
        before = f"c{n}"
    floats = TensorProto.FLOAT
    return helper.make_model(
        helper.make_graph(
            nodes,
            "synthesis",
            [
                helper.make_tensor_value_info("picture", floats, [1, 12, 16, 16]),
                helper.make_tensor_value_info("known", floats, [1, KNOWN]),
            ],
            [helper.make_tensor_value_info(before, floats, None)],
            initial,
        )
    )


@pytest.mark.parametrize("product", ["Gemm", "MatMul"])
def test_weights_scales_biases_and_steering_are_read_exactly(tmp_path, product):
    layers = some_layers()
    onnx.save(graph_of(layers, product), tmp_path / "synthesis.onnx")
    assert pack(read_layers(tmp_path / "synthesis.onnx")) == pack(layers)


def test_weights_that_are_not_of_8_bits_are_refused(tmp_path):
    onnx.save(graph_of(some_layers(), weights="float"), tmp_path / "synthesis.onnx")
    with pytest.raises(ArtifactError, match="8 bits"):
        read_layers(tmp_path / "synthesis.onnx")


def test_floats_that_16_bits_do_not_hold_are_refused():
    layer = some_layers()[0]
    with pytest.raises(ArtifactError, match="float16"):
        pack([replace(layer, biases=layer.biases + np.float32(1e-7))])


def test_a_convolution_without_its_steering_is_refused(tmp_path):
    model = graph_of(some_layers())
    model.graph.node.remove(next(node for node in model.graph.node if node.op_type == "Gemm"))
    onnx.save(model, tmp_path / "synthesis.onnx")
    with pytest.raises(ArtifactError, match="3 convolutions, 2 products"):
        read_layers(tmp_path / "synthesis.onnx")


def test_two_artifacts_of_one_version_are_refused():
    one = artifact.read(ARTIFACT)
    with pytest.raises(ArtifactError, match="another version"):
        generate([one, one])
