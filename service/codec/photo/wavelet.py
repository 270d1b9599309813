"""The 9/7 wavelet of Cohen, Daubechies and Feauveau by lifting, one level at a time, float32.

    samples      interleaved: even ones become the low-pass band, odd ones the detail
    lifting      x[odd] += A (left + right); x[even] += B (..); x[odd] += C (..); x[even] += D (..)
    scale        each band's synthesis has a norm near 1, so squared errors of coefficients are
                 nearly those of pixels; borders are mirrored, a side of one sample is left alone

Source: Daubechies and Sweldens 1998, "Factoring wavelet transforms into lifting steps", 4.3. Any
sizes; works in place on [rows, columns], strip by strip, so that a strip stays in the cache.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled

Plane = NDArray[np.float32]
A, B, C, D = (
    np.float32(-1.586134342059924),
    np.float32(-0.052980118572961),
    np.float32(0.882911075530934),
    np.float32(0.443506852043971),
)
LOW = np.float32(math.sqrt(2) / 1.230174104914001)
HIGH = np.float32(1.230174104914001 / math.sqrt(2))
LOW_BACK, HIGH_BACK = np.float32(1 / LOW), np.float32(1 / HIGH)
STRIP = 64
"""Columns that are lifted together: a strip of 2,048 rows is half a megabyte."""


@compiled
def _lift_down(x: Plane, first: int, last: int, start: int, factor: np.float32) -> None:
    """Add ``factor`` times both neighbours above and below to every second row from ``start``."""
    rows = x.shape[0]
    for r in range(start, rows, 2):
        above = r - 1 if r > 0 else 1
        below = r + 1 if r + 1 < rows else rows - 2
        for c in range(first, last):
            x[r, c] += factor * (x[above, c] + x[below, c])


@compiled
def _lift_across(x: Plane, row: int, start: int, factor: np.float32) -> None:
    """The same along a row."""
    columns = x.shape[1]
    if start == 0:
        x[row, 0] += factor * (x[row, 1] + x[row, 1])
        start = 2
    for c in range(start, columns - 1, 2):
        x[row, c] += factor * (x[row, c - 1] + x[row, c + 1])
    if (columns - 1 - start) % 2 == 0 and columns - 1 >= start:
        x[row, columns - 1] += factor * (x[row, columns - 2] + x[row, columns - 2])


@compiled
def forward(x: Plane) -> None:
    """One level of analysis in place: float32 [rows, columns], bands interleaved."""
    rows, columns = x.shape
    if rows > 1:
        for first in range(0, columns, STRIP):
            last = min(first + STRIP, columns)
            _lift_down(x, first, last, 1, A)
            _lift_down(x, first, last, 0, B)
            _lift_down(x, first, last, 1, C)
            _lift_down(x, first, last, 0, D)
            for r in range(rows):
                scale = HIGH if r & 1 else LOW
                for c in range(first, last):
                    x[r, c] *= scale
    if columns > 1:
        for r in range(rows):
            _lift_across(x, r, 1, A)
            _lift_across(x, r, 0, B)
            _lift_across(x, r, 1, C)
            _lift_across(x, r, 0, D)
            for c in range(columns):
                x[r, c] *= HIGH if c & 1 else LOW


@compiled
def inverse(x: Plane) -> None:
    """One level of synthesis in place: undoes ``forward``."""
    rows, columns = x.shape
    if columns > 1:
        for r in range(rows):
            for c in range(columns):
                x[r, c] *= HIGH_BACK if c & 1 else LOW_BACK
            _lift_across(x, r, 0, -D)
            _lift_across(x, r, 1, -C)
            _lift_across(x, r, 0, -B)
            _lift_across(x, r, 1, -A)
    if rows > 1:
        for first in range(0, columns, STRIP):
            last = min(first + STRIP, columns)
            for r in range(rows):
                scale = HIGH_BACK if r & 1 else LOW_BACK
                for c in range(first, last):
                    x[r, c] *= scale
            _lift_down(x, first, last, 0, -D)
            _lift_down(x, first, last, 1, -C)
            _lift_down(x, first, last, 0, -B)
            _lift_down(x, first, last, 1, -A)


def transposed(slopes: Plane) -> Plane:
    """Slopes along samples as slopes along what ``inverse`` made them of: float32 [H, W]."""
    down = _transposed_down(slopes.copy())
    return np.ascontiguousarray(_transposed_down(np.ascontiguousarray(down.T)).T)


@compiled
def _transposed_down(x: Plane) -> Plane:
    rows = x.shape[0]
    if rows < 2:
        return x
    for step, factor in enumerate((-A, -B, -C, -D)):
        for r in range(step & 1, rows, 2):
            for near in (r - 1, r + 1):
                if 0 <= near < rows:  # a mirrored one was read twice
                    share = factor * 2 if near in (0, rows - 1) else factor
                    for c in range(x.shape[1]):
                        x[r, c] += share * x[near, c]
    for r in range(rows):
        scale = HIGH_BACK if r & 1 else LOW_BACK
        for c in range(x.shape[1]):
            x[r, c] *= scale
    return x
