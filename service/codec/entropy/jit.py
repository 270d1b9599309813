"""Integer loops that must run symbol by symbol, compiled when they are first called.

A symbol depends on the ones before it, so the parse is a loop that NumPy cannot take over. In
CPython it costs 10 ms a thumbnail. Weighed against numba: an extension of our own in C or Rust
needs a compiler or a wheel for each platform; ONNX has no loop of integers that is worth the name;
numba is one ordinary dependency whose input is the very Python that the tests run uncompiled as
the reference. Its price is 150 MB installed (LLVM), and seconds of compilation at the first start:
the result is kept beside the module, or in ``NUMBA_CACHE_DIR``, or in the user's cache folder;
where none of them can be written every start compiles anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.extending import overload

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Machine code of a function of numbers and arrays; it releases the interpreter lock.

    The Python function stays reachable as ``py_func``. The cache does not see a change in another
    module that was compiled in: whoever edits one clears ``__pycache__``. Helpers take numbers, or
    are called once a picture: an array that is handed on costs more than what a symbol needs.
    """
    dispatcher: Any = numba.njit(nogil=True)(function)
    with contextlib.suppress(RuntimeError):  # no folder that can be written
        dispatcher.enable_caching()
    return cast(F, dispatcher)


def inlined(function: F) -> F:
    """A part of compiled functions, taken into each of them: arrays may be handed to it."""
    return cast(F, numba.njit(nogil=True, inline="always")(function))


def index(place: int) -> int:
    """A place in an array, never counted from its end: compiled code then does not ask."""
    return place


@overload(index)
def _index(place: int) -> Callable[[int], Any]:
    del place  # its type

    def unsigned(place: int) -> Any:
        return np.uint64(place)

    return unsigned
