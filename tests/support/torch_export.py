"""Exports of torch that read once what each of them reads."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from torch.onnx._internal.exporter._registration import ONNXRegistry

_once = functools.cache(ONNXRegistry.from_torchlib)


@contextmanager
def one_registry() -> Iterator[None]:
    """For each graph torch parses the source of the 500 functions that it may translate into: two
    fifths of an export. Here it does so once; an export only reads them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(_once))
        yield
