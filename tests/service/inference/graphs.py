"""Tiny ONNX graphs, built here."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
"""What ``affine`` multiplies by; eighths, so that small integers come out exact."""


def affine() -> bytes:
    """y float32 [N, 3] = x float32 [N, 4] @ WEIGHTS + 1."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weights"], ["product"]),
            helper.make_node("Add", ["product", "one"], ["y"]),
        ],
        "affine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(WEIGHTS, "weights"),
            numpy_helper.from_array(np.ones(1, np.float32), "one"),
        ],
    )
    return serialised(graph)


def lookup() -> bytes:
    """y float32 [N] = row[index[n]] for row float32 [M], index int64 [N]; fails out of range."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["row", "index"], ["y"])],
        "lookup",
        [
            helper.make_tensor_value_info("row", TensorProto.FLOAT, ["M"]),
            helper.make_tensor_value_info("index", TensorProto.INT64, ["N"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
    )
    return serialised(graph)


def pair() -> bytes:
    """total float32 [N, 2] and square float32 [N, 2] of a and b, float32 [N, 2] each."""
    tensors = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2])
        for name in ("a", "b", "total", "square")
    }
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["a", "b"], ["total"]),
            helper.make_node("Mul", ["total", "total"], ["square"]),
        ],
        "pair",
        [tensors["a"], tensors["b"]],
        [tensors["total"], tensors["square"]],
    )
    return serialised(graph)


def serialised(graph: object) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return bytes(model.SerializeToString())
