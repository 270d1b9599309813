"""What the evaluation knows of a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class Parts(NamedTuple):
    """A file in three: ``head + payload + tail`` is the file, only the payload is counted."""

    head: bytes
    payload: bytes
    tail: bytes


@dataclass(frozen=True)
class Baseline:
    """A codec with its settings in ascending order of quality.

    ``encode`` takes uint8 [H, W, 3] and a setting and gives the whole file; ``decode`` gives uint8
    [H, W, 3] back from the file and the picture's (height, width); ``split`` finds the payload.
    ``stripped`` says in words what the payload is and what it leaves out, ``version`` names the
    libraries. ``own_size`` marks placeholders: they have one size of their own, meet no target.
    ``variant`` marks what only the tables of a whole report show, not its pictures.
    """

    name: str
    title: str
    settings: tuple[float, ...]
    encode: Callable[[Pixels, float], bytes]
    decode: Callable[[bytes, tuple[int, int]], Pixels]
    split: Callable[[bytes], Parts]
    stripped: str
    version: Callable[[], str]
    own_size: bool = False
    variant: bool = False
