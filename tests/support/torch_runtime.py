"""The shipped graphs computed by torch: for a device that ONNX Runtime has no build for.

The operators that graphs of this project use, node by node, as the ONNX specification (opset 18)
has them. Stands where ``service.inference.Runtime`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor as Values
from torch.nn import functional

from service.inference.session import TYPES, Array, Tensor

TORCH_TYPES = {1: torch.float32, 7: torch.int64, 10: torch.float16}
Operator = Callable[..., Any]
Step = tuple[Operator, list[str], list[str], dict[str, Any]]
"""An operator, names of what it takes and gives, its attributes."""


class TorchRuntime:
    """Sessions on a torch device; TF32 is off, as it is in ONNX Runtime's."""

    def __init__(self, device: str, threads: int) -> None:
        self.device_name = self.device = device
        self.threads = threads
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

    def session(self, model: Path | bytes, share: str = "operations") -> TorchSession:
        """Load a graph; ``share`` is for the CPU's threads."""
        return TorchSession(model, self.device_name)


class TorchSession:
    """A graph whose constant part is computed once."""

    def __init__(self, model: Path | bytes, device: str) -> None:
        loaded = onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
        graph = loaded.graph
        self._device = torch.device(device)
        self._constants = {
            one.name: torch.from_numpy(numpy_helper.to_array(one).copy()).to(self._device)
            for one in graph.initializer
        }
        self._steps = [self._step(node) for node in graph.node]
        with torch.no_grad():
            self._steps = [step for step in self._steps if not self._is_constant(step)]
        self.inputs = tuple(_told(value) for value in graph.input)
        self.outputs = tuple(_told(value) for value in graph.output)

    def _step(self, node: onnx.NodeProto) -> Step:
        names, attributes = (
            list(node.input),
            {one.name: helper.get_attribute_value(one) for one in node.attribute},
        )
        if node.op_type == "Slice":
            names, bounds = names[:1], names[1:]
            lists = [self._constants[name].tolist() if name else None for name in bounds]
            attributes |= dict(zip(("starts", "ends", "axes", "steps"), lists, strict=False))
        if (
            node.op_type in LISTED and len(names) > 1
        ):  # a shape or axes: asking a device for them would wait for it
            attributes[LISTED[node.op_type]] = self._constants[names.pop()].tolist()
        return OPERATORS[node.op_type], names, list(node.output), attributes

    def _is_constant(self, step: Step) -> bool:
        """Whether nothing of a step depends on the inputs; then it is computed now."""
        if any(name and name not in self._constants for name in step[1]):
            return False
        _compute(step, self._constants)
        return True

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name."""
        with torch.no_grad():
            found = dict(self._constants)
            for name, array in inputs.items():
                found[name] = torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
            for step in self._steps:
                _compute(step, found)
            return {one.name: found[one.name].cpu().numpy() for one in self.outputs}

    def warm_up(self, batches: Iterable[int]) -> None:
        """As ``service.inference.Session``."""
        for count in batches:
            self.run(
                {
                    one.name: np.zeros(
                        [length if isinstance(length, int) else count for length in one.shape],
                        one.dtype,
                    )
                    for one in self.inputs
                }
            )


def _compute(step: Step, found: dict[str, Values]) -> None:
    operator, names, outputs, attributes = step
    results = operator(*(found[name] if name else None for name in names), **attributes)
    for name, result in zip(outputs, results if len(outputs) > 1 else (results,), strict=True):
        found[name] = result


def _told(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    name = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    assert name in TYPES.values()
    shape = tuple(one.dim_param or one.dim_value for one in kind.shape.dim)
    return Tensor(value.name, name, shape)


def _pads(pads: list[int] | None) -> tuple[int, int]:
    top, left, bottom, right = pads or (0, 0, 0, 0)
    assert (top, left) == (bottom, right)
    return top, left


def _conv(x: Values, w: Values, b: Values | None = None, **given: Any) -> Values:
    return functional.conv2d(
        x, w, b, given.get("strides", 1), _pads(given.get("pads")), groups=given.get("group", 1)
    )


def _conv_transpose(x: Values, w: Values, b: Values | None = None, **given: Any) -> Values:
    return functional.conv_transpose2d(
        x,
        w,
        b,
        given.get("strides", 1),
        _pads(given.get("pads")),
        given.get("output_padding", 0),
        given.get("group", 1),
    )


def _gemm(
    a: Values, b: Values, c: Values | None = None, *, transB: int = 0, **given: Any
) -> Values:
    assert given.get("alpha", 1.0) == given.get("beta", 1.0) == 1.0
    assert not given.get("transA")
    return functional.linear(a, b if transB else b.T, c)


def _reshape(x: Values, *, shape: list[int], allowzero: int = 0) -> Values:
    return x.reshape(
        [x.shape[n] if one == 0 and not allowzero else one for n, one in enumerate(shape)]
    )


def _unsqueeze(x: Values, *, axes: list[int]) -> Values:
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


def _depth_to_space(x: Values, *, blocksize: int, mode: bytes) -> Values:
    assert mode == b"CRD"
    return functional.pixel_shuffle(x, blocksize)


def _dequantize(x: Values, scale: Values, *, axis: int = 1) -> Values:
    shape = [1] * x.ndim
    if scale.ndim:
        shape[axis] = -1
    return x.to(scale.dtype) * scale.reshape(shape)


def _mean(
    x: Values, *, axes: list[int], keepdims: int = 1, noop_with_empty_axes: int = 0
) -> Values:
    assert not noop_with_empty_axes
    return x.mean(axes, keepdim=bool(keepdims))


def _split(
    x: Values, *, axis: int, num_outputs: int = 1, sizes: list[int] | None = None
) -> tuple[Values, ...]:
    return x.split(sizes, axis) if sizes else x.chunk(num_outputs, axis)


def _gather(x: Values, index: Values, *, axis: int = 0) -> Values:
    taken = x.index_select(axis, index.reshape(-1))
    return taken.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


LISTED = {"Reshape": "shape", "Split": "sizes", "Unsqueeze": "axes", "ReduceMean": "axes"}
"""Operators whose last input is constant numbers."""


def _slice(
    x: Values,
    starts: list[int],
    ends: list[int],
    axes: list[int] | None = None,
    steps: list[int] | None = None,
) -> Values:
    places = [slice(None)] * x.ndim
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        places[axis] = slice(start, end, step)
    return x[tuple(places)]


OPERATORS: dict[str, Operator] = {
    "Abs": torch.abs,
    "Add": torch.add,
    "Cast": lambda x, to: x.to(TORCH_TYPES[to]),
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "DequantizeLinear": _dequantize,
    "Div": torch.div,
    "Exp": torch.exp,
    "Gather": _gather,
    "Gemm": _gemm,
    "Greater": torch.gt,
    "Identity": lambda x: x,
    "Less": torch.lt,
    "Log": torch.log,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Pow": torch.pow,
    "ReduceMean": _mean,
    "Relu": torch.relu,
    "Reshape": _reshape,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Slice": _slice,
    "Split": _split,
    "Sub": torch.sub,
    "Tanh": torch.tanh,
    "Transpose": lambda x, perm: x.permute(perm),
    "Unsqueeze": _unsqueeze,
    "Where": torch.where,
}
