"""torch -> ONNX: one iteration of a half as a graph with a free batch and float16 weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.artifact_io.names import BYTES, HALF, SCALE
from service.codec import planes

OPSET = 18


@dataclass(frozen=True)
class Exported:
    """A graph file and what its manifest entry says."""

    file: str
    sha256: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Flat(nn.Module):
    """A half whose states are arguments and results of their own, as ONNX has them."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, value: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Value and states in, result and states out."""
        result, following = self.inner(value, list(states))
        return result, *following


def round_to_half(model: nn.Module) -> None:
    """Give the model the weights that are shipped, so that parity compares like with like."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half().float())


def export_half(
    half: nn.Module, value: Tensor, states: list[Tensor], names: tuple[str, str], path: Path
) -> Exported:
    """Write one iteration of an encoder or a decoder.

    ``names`` are those of its value and its result; states are ``state_0`` ... and come back as
    ``next_0`` ... . The batch is the dimension "N".
    """
    inputs = (names[0], *(f"state_{n}" for n in range(len(states))))
    outputs = (names[1], *(f"next_{n}" for n in range(len(states))))
    return export(Flat(half), (value, *states), inputs, outputs, path, nested_from=1)


def export(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    path: Path,
    *,
    nested_from: int | None = None,
    eight_bits: bool = False,
    scales: dict[str, int | str] | None = None,
) -> Exported:
    """Write a module as a graph; the first dimension of all its arguments is the batch "N".

    ``scales`` makes height and width free: rows of each input and output for one row of "h", or a
    word where they are another number. Only for what has no shape in its layers, such as
    convolutions; what has no height and width is left out.

    Arguments from ``nested_from`` on are the module's ``*args``. With ``eight_bits`` kernels of
    convolutions are kept as ``round_to_bytes`` left them; all else is kept as float16.
    """
    batch = torch.export.Dim("N", min=1, max=4096)
    shapes: tuple[object, ...] = tuple({0: batch} for _ in arguments)
    if nested_from is not None:
        shapes = (*shapes[:nested_from], shapes[nested_from:])
    dynamic = None if scales else shapes
    program = torch.onnx.export(
        module.eval(),
        arguments,
        dynamo=True,
        opset_version=OPSET,
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes=dynamic,
        verbose=False,
    )
    assert program is not None
    graph = program.model_proto
    if scales:
        free_sizes(graph, scales)
    if eight_bits:
        store_as_bytes(graph)
    store_as_half(graph)
    strip(graph)
    onnx.checker.check_model(graph, full_check=True)
    path.write_bytes(graph.SerializeToString(deterministic=True))
    return Exported(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), inputs, outputs)


SIZELESS = {"Add", "Concat", "Conv", "DepthToSpace", "Div", "Elu", "Mul", "Resize", "Sigmoid"}
SIZELESS |= {"Cast", "ConvTranspose", "Gather", "Greater", "Relu", "Slice"}
SIZELESS |= {"Split", "Sub", "Tanh", "Clip", "Sqrt", "Reciprocal", "Less", "Where"}
SIZELESS |= {"Abs", "Exp", "Gemm", "Log", "Neg", "Relu", "Sign", "Unsqueeze"}
"""Operations of these graphs that hold no height and no width of what they were traced at."""


def pack(path: Path) -> None:
    """In place of a graph's file, the same packed; its manifest names what it was packed of."""
    path.with_name(path.name + planes.SUFFIX).write_bytes(planes.pack(path.read_bytes()))
    path.unlink()


def free_sizes(graph: onnx.ModelProto, scales: dict[str, int | str]) -> None:
    """Give inputs and outputs the batch "N", the height and width "h" and "w", times their scale.

    The exporter can trace with free sizes too, but works out every one of them with algebra, which
    takes three times as long. Raises ValueError for an operation that is not known to hold no size.
    """
    nodes = [node for node in graph.graph.node if not _trims(graph, node)]
    if found := {node.op_type for node in nodes} - SIZELESS:
        raise ValueError(f"{sorted(found)} may hold the size that was traced")
    for value in (*graph.graph.input, *graph.graph.output):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_param = "N"
        if value.name not in scales:
            continue
        scale = scales[value.name]
        for dim, name in zip(dims, ("N", "", f"{scale}*h", f"{scale}*w"), strict=True):
            if name:
                dim.dim_param = name
    del graph.graph.value_info[:]


def _trims(graph: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    """Whether a node cuts off so many rows or columns at the end, however many there are."""
    ends = [numpy_helper.to_array(w) for w in graph.graph.initializer if w.name in node.input[2:3]]
    return node.op_type == "Slice" and bool(ends) and bool((ends[0] < 0).all())


LARGEST = (127, 31, 17, 15)
"""Whole numbers that weights are rounded to, at most: what a byte holds, or fewer, to pack well."""


def round_to_bytes(kernel: Tensor, largest: int = LARGEST[0]) -> Tensor:
    """Weights [O, ...] as whole multiples of a float16 scale for each output."""
    whole, scale = in_bytes(kernel, 0, largest)
    return whole * scale


def in_bytes(kernel: Tensor, axis: int, largest: int) -> tuple[Tensor, Tensor]:
    """Weights [A, B, ...] as int8 multiples of a scale: one for each A (``axis`` 0) or each B.

    The scale is float [A, 1, ...] or [1, B, ...], and float16 holds it exactly.
    """
    others = [dim for dim in range(kernel.ndim) if dim != axis]
    bound = kernel.abs().amax(dim=others, keepdim=True)
    scale = (bound / largest).clamp(min=2.0**-14).half().float()
    return (kernel / scale).round().clamp(-largest, largest).to(torch.int8), scale


def store_as_bytes(graph: onnx.ModelProto) -> None:
    """Keep what ``round_to_bytes`` made as int8 with a scale for each output.

    A kernel that a gradient turned around has its scales on its second axis. Matrices may be left
    as they are; raises ValueError for a kernel of four dimensions that was not rounded.
    """
    nodes = []
    for weight in list(graph.graph.initializer):
        kernel = torch.from_numpy(numpy_helper.to_array(weight).copy())
        if kernel.ndim not in (2, 4) or weight.data_type != TensorProto.FLOAT:
            continue
        name = weight.name
        for axis, largest in product((0, 1), LARGEST):
            whole, scale = in_bytes(kernel, axis, largest)
            if torch.equal(whole * scale, kernel):
                break
        else:
            if kernel.ndim == 2:
                continue
            raise ValueError(f"{name} was not rounded to bytes")
        weight.CopyFrom(numpy_helper.from_array(whole.numpy(), name + BYTES))
        graph.graph.initializer.append(
            numpy_helper.from_array(scale.flatten().numpy(), name + SCALE)
        )
        nodes.append(
            helper.make_node("DequantizeLinear", [weight.name, name + SCALE], [name], axis=axis)
        )
    kept = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend([*nodes, *kept])


def store_as_half(graph: onnx.ModelProto) -> None:
    """Keep float32 weights as float16 and cast them at load: half the file, the same arithmetic."""
    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or numpy_helper.to_array(weight).size < 16:
            continue
        name = weight.name
        half = numpy_helper.from_array(
            numpy_helper.to_array(weight).astype(np.float16), name + HALF
        )
        weight.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend([*casts, *nodes])


def strip(graph: onnx.ModelProto) -> None:
    """Drop the notes of the exporter: a graph says nothing of where it was made."""
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info):
        del value.metadata_props[:]
    for weight in graph.graph.initializer:
        del weight.metadata_props[:]
