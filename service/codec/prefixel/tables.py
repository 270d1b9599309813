"""The tables of an embedded codec as its artifact holds them, and as the parse wants them.

The file is a NumPy ``.npz`` of integer arrays (FORMAT.md, "Tables"), read without pickle.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.range_coder import TOTAL
from service.codec.geometry import THUMB_SIDE
from service.codec.prefixel.context_model import (
    COEFFICIENTS,
    LAST_PLANE,
    PLANE_CLASSES,
    REFINEMENT,
    SIGNIFICANCE,
    Ints,
    Tables,
)
from service.errors import ArtifactError

OFFSETS = (
    *((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)),
    *((0, -2), (0, 2), (-2, 0), (2, 0)),
)
"""Neighbours within a channel, in rows and columns; after them the two other channels' own."""
FIRST_CLASS = 10
"""A coefficient's first plane is the highest at which its class is this or more."""
MOST_TABLES = 2**14
"""Classes of all groups; entries are packed into 31 bits."""
OCTAVE = 16
"""Priorities are log2 of squared error a bit, in 16ths."""


@dataclass(frozen=True)
class Stored:
    """The arrays of the file, under these names.

    ``sizes`` uint8 [3072]: class at plane 0. ``groups`` uint8 [3072]. ``weights`` uint8 [3, 14] by
    channel and neighbour. ``rows`` uint8: contexts (``Tables.contexts``). ``significance`` uint16
    [G, C, R]: frequency of + (and of -). ``escape`` uint16 [1]: frequency of yes. ``refinement``
    uint16 [G, C, 2]: frequency of 1.
    ``zero``, ``nonzero`` uint8 [G, C].
    ``priorities`` int16 [2, G, C]. For painting: ``steps`` uint16 [3072] in 16ths, ``means``
    int16 [3072] in 16ths, ``centroids`` uint8 [G, C, 3] in 256ths of a cell, for magnitudes 1, 2
    and more; ``colours`` int16 [3, 3] in 2^-14.
    """

    sizes: NDArray[np.uint8]
    groups: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    rows: NDArray[np.uint8]
    significance: NDArray[np.uint16]
    refinement: NDArray[np.uint16]
    escape: NDArray[np.uint16]
    zero: NDArray[np.uint8]
    nonzero: NDArray[np.uint8]
    priorities: NDArray[np.int16]
    steps: NDArray[np.uint16]
    means: NDArray[np.int16]
    centroids: NDArray[np.uint8]
    colours: NDArray[np.int16]

    def write(self, path: Path) -> None:
        """Write the file."""
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})


_DTYPES = {
    **dict.fromkeys(("sizes", "groups", "weights", "rows", "zero", "nonzero"), np.uint8),
    **dict.fromkeys(("significance", "refinement", "escape", "steps"), np.uint16),
    **dict.fromkeys(("priorities", "means", "colours"), np.int16),
    "centroids": np.uint8,
}


def read(path: Path) -> Stored:
    """Read and check the file. Raises ArtifactError for what the parse could not work with."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} is not a file of tables: {error}") from error
    if {name: a.dtype for name, a in arrays.items()} != _DTYPES:
        raise ArtifactError(f"{path} has not the arrays of an embedded codec")
    stored = Stored(**arrays)
    groups, classes, rows = stored.significance.shape
    shapes = {
        "sizes": (COEFFICIENTS,),
        "groups": (COEFFICIENTS,),
        "weights": (3, len(OFFSETS) + 2),
        "rows": stored.rows.shape,
        "significance": (groups, classes, rows),
        "refinement": (groups, classes, 2),
        "escape": (1,),
        "zero": (groups, classes),
        "nonzero": (groups, classes),
        "priorities": (2, groups, classes),
        "steps": (COEFFICIENTS,),
        "means": (COEFFICIENTS,),
        "centroids": (groups, classes, 3),
        "colours": (3, 3),
    }
    wrong = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    if wrong or stored.rows.ndim != 1 or not len(stored.rows):
        raise ArtifactError(f"{path}: wrong shape of {', '.join(wrong) or 'rows'}")
    bounds = (
        stored.groups.max() < groups,
        groups * classes <= MOST_TABLES,
        stored.rows.max() < rows,
        stored.significance.min() > 0 and stored.significance.max() < TOTAL // 2,
        stored.refinement.min() > 0,
        stored.escape.min() > 0,
        stored.sizes.max() < classes,
        stored.steps.min() > 0,
    )
    if not all(bounds):
        raise ArtifactError(f"{path} holds values out of their range")
    return stored


def tops(sizes: NDArray[np.uint8]) -> Ints:
    """First plane of each coefficient."""
    found = (sizes.astype(np.int32) - FIRST_CLASS) // PLANE_CLASSES
    return np.asarray(np.clip(found, 0, LAST_PLANE), np.int32)


def priority_order(stored: Stored) -> Ints:
    """All entries, int32 [E, 3] of kind, coefficient, plane, the highest priority first.

    An entry never comes before the one that it needs: its priority is at most theirs. Equal
    priorities: the higher plane, then kind 0, then the smaller coefficient.
    """
    first, groups = tops(stored.sizes), stored.groups
    highest = int(first.max())
    last_class = stored.zero.shape[1] - 1
    everything = np.arange(COEFFICIENTS, dtype=np.int32)
    ceiling = np.full((2, COEFFICIENTS), 2**30, np.int64)
    entries, keys = [], []
    for plane in range(highest, -1, -1):
        size = np.clip(stored.sizes.astype(np.int64) - PLANE_CLASSES * plane, 0, last_class)
        key = stored.priorities[:, groups, size].astype(np.int64) + 2 * OCTAVE * plane
        key[REFINEMENT] = np.minimum(key[REFINEMENT], ceiling.min(axis=0))
        key[SIGNIFICANCE] = np.minimum(key[SIGNIFICANCE], ceiling[SIGNIFICANCE])
        for kind, started in ((SIGNIFICANCE, first >= plane), (REFINEMENT, first > plane)):
            chosen = everything[started]
            ceiling[kind, chosen] = key[kind, chosen]
            entry = np.empty((len(chosen), 3), np.int32)
            entry[:, 0], entry[:, 1], entry[:, 2] = kind, chosen, plane
            entries.append(entry)
            keys.append(key[kind, chosen])
    order = np.argsort(-np.concatenate(keys), kind="stable")
    return np.ascontiguousarray(np.concatenate(entries)[order])


def neighbours(weights: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """int32 [3072, 14]: each coefficient's neighbours (3072 outside) and their weights."""
    channel, row, column = np.indices((3, THUMB_SIDE, THUMB_SIDE)).reshape(3, -1)
    near = np.full((COEFFICIENTS, len(OFFSETS) + 2), COEFFICIENTS, np.int32)
    for k, (down, right) in enumerate(OFFSETS):
        r, c = row + down, column + right
        inside = (r >= 0) & (r < THUMB_SIDE) & (c >= 0) & (c < THUMB_SIDE)
        near[inside, k] = ((channel * THUMB_SIDE + r) * THUMB_SIDE + c)[inside]
    for k in (1, 2):
        near[:, len(OFFSETS) + k - 1] = ((channel + k) % 3 * THUMB_SIDE + row) * THUMB_SIDE + column
    return near, np.ascontiguousarray(weights[channel].astype(np.int32))


def for_parse(stored: Stored) -> Tables:
    """The tables that steer the parse; integers alone."""
    plus = stored.significance.astype(np.int32)
    one = stored.refinement.astype(np.int32)
    whole = np.full_like
    near, weights = neighbours(stored.weights)
    return Tables(
        order=priority_order(stored),
        classes=stored.sizes.astype(np.int32),
        groups=stored.groups.astype(np.int32),
        neighbours=near,
        weights=weights,
        contexts=stored.rows.astype(np.int32),
        significance=np.stack([whole(plus, 0), plus, 2 * plus, whole(plus, TOTAL)], axis=-1),
        refinement=np.stack([whole(one, 0), one, whole(one, TOTAL)], axis=-1),
        escape=np.array([0, stored.escape[0], TOTAL], np.int32),
        zero=stored.zero.astype(np.int32),
        nonzero=stored.nonzero.astype(np.int32),
        tops=tops(stored.sizes),
    )
