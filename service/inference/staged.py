"""Sessions of a device: inputs and outputs pass through memory that stays, a set for each thread.

A device copies from pageable memory through a buffer of its driver's, one call after the other;
from page-locked memory it copies by itself, while other threads compute.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np

from service.inference.cuda import page_aligned
from service.inference.session import Array, OnnxSession, Tensor

DEVICE_OF_MEMORY = "cpu"


class Lock(Protocol):
    """How memory is made to stay, and let go again."""

    def lock(self, array: Array) -> None:
        """From now on."""
        ...

    def release(self, array: Array) -> None:
        """Before it is given back."""
        ...


def fits(session: OnnxSession) -> bool:
    """Whether all shapes follow from the batch: one name first, lengths after it."""
    shapes = [tensor.shape for tensor in (*session.inputs, *session.outputs)]
    batches = {shape[0] if shape else None for shape in shapes}
    rest = [length for shape in shapes for length in shape[1:]]
    return (
        len(batches) == 1
        and isinstance(batches.pop(), str)
        and all(isinstance(length, int) for length in rest)
    )


class StagedSession(OnnxSession):
    """One whose shapes ``fit``. Each thread that calls it has memory for its largest batch."""

    def __init__(self, native: Any, lock: Lock) -> None:
        super().__init__(native)
        self._lock, self._local = lock, threading.local()

    def _computed(self, inputs: dict[str, Array]) -> list[Array]:
        count = len(next(iter(inputs.values())))
        if count == 0:
            return super()._computed(inputs)
        stage = getattr(self._local, "stage", None)
        if stage is None or stage.count < count:
            stage = self._local.stage = _Stage(self, self._native, count, self._lock)
        return stage.run(count, inputs)


class _Stage:
    """Memory for batches of at most ``count``, and how the runtime finds it."""

    def __init__(self, session: OnnxSession, native: Any, count: int, lock: Lock) -> None:
        self.count, self._native, self._lock = count, native, lock
        self._inputs, self._outputs = session.inputs, session.outputs
        self._memory = {
            tensor.name: page_aligned(count * _picture_bytes(tensor))
            for tensor in (*self._inputs, *self._outputs)
        }
        self._bindings: dict[int, Any] = {}
        for memory in self._memory.values():
            lock.lock(memory)

    def __del__(self) -> None:
        for memory in self._memory.values():
            self._lock.release(memory)

    def run(self, count: int, inputs: dict[str, Array]) -> list[Array]:
        """All outputs, copies, of ``count`` pictures."""
        for tensor in self._inputs:
            np.copyto(self._of(tensor, count), inputs[tensor.name])
        if count not in self._bindings:
            self._bindings[count] = self._bound(count)
        self._native.run_with_iobinding(self._bindings[count])
        return [self._of(tensor, count).copy() for tensor in self._outputs]

    def _of(self, tensor: Tensor, count: int) -> Array:
        used = self._memory[tensor.name][: count * _picture_bytes(tensor)]
        return used.view(tensor.dtype).reshape(count, *_picture_shape(tensor))

    def _bound(self, count: int) -> Any:
        binding = self._native.io_binding()
        for tensors, bind in (
            (self._inputs, binding.bind_input),
            (self._outputs, binding.bind_output),
        ):
            for tensor in tensors:
                place = self._of(tensor, count)
                bind(
                    tensor.name,
                    DEVICE_OF_MEMORY,
                    0,
                    tensor.dtype.type,
                    list(place.shape),
                    place.ctypes.data,
                )
        return binding


def _picture_shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(int(length) for length in tensor.shape[1:] if isinstance(length, int))


def _picture_bytes(tensor: Tensor) -> int:
    return int(np.prod(_picture_shape(tensor), dtype=np.int64)) * tensor.dtype.itemsize
