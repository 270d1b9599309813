"""Networks that are loaded: what they take and give, and how a batch is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.errors import ArtifactError, DeviceMemoryError, InferenceError
from service.inference.cuda import is_out_of_memory

Array = NDArray[Any]

TYPES: dict[str, np.dtype[Any]] = {
    "tensor(float16)": np.dtype(np.float16),
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(int16)": np.dtype(np.int16),
    "tensor(uint16)": np.dtype(np.uint16),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(uint32)": np.dtype(np.uint32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(uint64)": np.dtype(np.uint64),
    "tensor(bool)": np.dtype(np.bool_),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a network. A dimension is a length, a name ("N"), or None for any."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        return f"{self.name!r}: {self.dtype} [{', '.join(map(str, self.shape))}]"


class Session(Protocol):
    """A network that is loaded. Thread-safe."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What ``run`` takes."""
        ...

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What ``run`` gives."""
        ...

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises InferenceError for inputs that do not fit and for a failure; its cause says which.
        DeviceMemoryError where the device has no memory left; the next call may find some.
        """
        ...

    def warm_up(self, batches: Iterable[int]) -> None:
        """Run batches of so many pictures, so that nothing is chosen or allocated later."""
        ...


class OnnxSession:
    """A session of ONNX Runtime; its ``run`` releases the interpreter lock."""

    def __init__(self, native: Any) -> None:
        self._native = native
        self._inputs = tuple(map(_tensor, native.get_inputs()))
        self._outputs = tuple(map(_tensor, native.get_outputs()))
        self._names = [tensor.name for tensor in self._outputs]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What ``run`` takes."""
        return self._inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What ``run`` gives."""
        return self._outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As ``Session``."""
        try:
            _check(self._inputs, inputs)
            results = self._computed(dict(inputs))
        except Exception as error:  # ONNX Runtime's errors share no base class but this
            if is_out_of_memory(error):
                raise DeviceMemoryError("the device has no memory left for this batch") from error
            raise InferenceError("a network failed") from error
        return dict(zip(self._names, results, strict=True))

    def warm_up(self, batches: Iterable[int]) -> None:
        """As ``Session``; names of dimensions all stand for the batch."""
        for count in batches:
            self.run(
                {
                    tensor.name: np.zeros(
                        [length if isinstance(length, int) else count for length in tensor.shape],
                        tensor.dtype,
                    )
                    for tensor in self._inputs
                }
            )

    def _computed(self, inputs: dict[str, Array]) -> list[Array]:
        """All outputs, in order, of inputs that fit."""
        found: list[Array] = self._native.run(self._names, inputs)
        return found


class SplitSession(OnnxSession):
    """One whose batches are computed in parts of at most ``PART`` pictures, by a pool's threads."""

    PART = 8

    def __init__(self, native: Any, pool: ThreadPoolExecutor, threads: int) -> None:
        super().__init__(native)
        self._pool, self._threads = pool, threads

    def _computed(self, inputs: dict[str, Array]) -> list[Array]:
        count = len(next(iter(inputs.values())))
        parts = min(count, max(self._threads, -(-count // self.PART)))
        if parts < 2:
            return super()._computed(inputs)
        bounds = pairwise(count * n // parts for n in range(parts + 1))
        cuts = [{name: array[a:b] for name, array in inputs.items()} for a, b in bounds]
        return list(map(np.concatenate, zip(*self._pool.map(super()._computed, cuts), strict=True)))


def _tensor(argument: Any) -> Tensor:
    if argument.type not in TYPES:
        raise ArtifactError(f"{argument.name!r} is {argument.type}, which no network here may use")
    return Tensor(argument.name, TYPES[argument.type], tuple(argument.shape))


def _check(expected: tuple[Tensor, ...], given: Mapping[str, Array]) -> None:
    """Raise ValueError unless names, types and shapes fit; equal names are equal lengths."""
    names = {tensor.name for tensor in expected}
    if names != given.keys():
        raise ValueError(f"the network takes {sorted(names)}, not {sorted(given)}")
    bound: dict[str, int] = {}
    for tensor in expected:
        array = given[tensor.name]
        if array.dtype != tensor.dtype or array.ndim != len(tensor.shape):
            raise ValueError(f"{tensor} was given {array.dtype} {list(array.shape)}")
        for dimension, length in zip(tensor.shape, array.shape, strict=True):
            wanted = (
                bound.setdefault(dimension, length) if isinstance(dimension, str) else dimension
            )
            if wanted is not None and wanted != length:
                raise ValueError(f"{tensor} was given {array.dtype} {list(array.shape)}")
