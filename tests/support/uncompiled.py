"""The pure-Python twin of a compiled function: itself, and all that it calls, uncompiled."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from numba.core.dispatcher import Dispatcher


def uncompiled(function: Any) -> Any:
    """The same code run by CPython; refuses what was not compiled in the first place."""
    if not isinstance(function, Dispatcher):
        raise TypeError(f"{function} is not compiled")
    python = function.py_func
    names = {
        name: uncompiled(value)
        if isinstance(value, Dispatcher) and value is not function
        else value
        for name, value in python.__globals__.items()
        if name in python.__code__.co_names or name == "__builtins__"
    }
    return FunctionType(python.__code__, names, python.__name__)
