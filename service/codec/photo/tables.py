"""The tables of the codec `photo`, as its artifact holds them and as the scan wants them.

The file is a NumPy ``.npz`` of integer arrays (FORMAT.md, "Photo tables"), read without pickle.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.range_coder import PRECISION
from service.codec.photo.bitplane_coder import (
    CONTEXTS,
    FINE,
    FLAGS,
    MODELS,
    PROBABILITY_BITS,
    SETS,
    SIGN_INPUTS,
    SIGNS,
    STRETCH_LIMIT,
    WIDE_CONTEXTS,
    WIDE_SIGNS,
    WIDE_SIZES,
    Fixed,
    Models,
)
from service.codec.photo.order import (
    DEEPEST,
    GROUPS,
    LEVEL,
    OCTAVE,
    ORIENT,
    ORIENTS,
    PLANES,
    RANKS,
    Grid,
)
from service.errors import ArtifactError

ORDERS = ("default", "psnr", "eyes")
"""What an encoder may aim at; the flags of a stream say which (0, 1, 2)."""
LOGIT_STEP = 22
UNKNOWN = 128
"""A stored probability ``b`` is squash(LOGIT_STEP * (b - UNKNOWN)) of 65536."""
SEEN = (0, 1, 2, 4, 8, 16)
"""How many symbols a stored probability counts for, by its class."""
MOST_SEEN = 120
"""A probability goes on moving as if it had seen so many symbols at most."""
COARSE = (1, 3, 6, 10, 16, 26, 40, 64, 104, 160, 256, 416)
SMOOTH = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40, 52, 64, 80, 104, 128, 160, 208, 256),
    *(320, 416, 512, 640, 832, 1024),
)
"""Where the classes of a sum of neighbours begin."""
LARGEST_SUM = 4095
SHARED_SEEN = 10
"""How many symbols a probability counts for that is not stored for each group."""
_SYMBOLS = CONTEXTS + FLAGS + 1 + SIGNS + FINE
WIDE_ROW = FLAGS + 1 + FINE
"""Probabilities that streams with networks have of their own in each group."""


class Wide(NamedTuple):
    """What tables of streams with networks have besides: see ``Stored``."""

    shared: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    signs: NDArray[np.uint8]
    sign_mixing: NDArray[np.int16]


@dataclass(frozen=True)
class Stored:
    """The arrays of the file, under these names; ``G`` groups.

    ``colours`` int16 [3, 3] in 2^-14: rows are the three axes in R, G, B. ``step`` uint16 [1] in
    256ths: a coefficient of 1 at weight 1. ``scales`` uint16 [orders, 3, DEEPEST + 1] in 256ths:
    weights of a channel's low-pass band and its levels 1.. . ``slopes`` int16 [orders, 3, 4,
    DEEPEST, PLANES, 2]. ``usual`` int8 [3, 3, DEEPEST]. ``squash`` uint16 [2 * 2815 + 1]: 65536
    times the logistic function of x / 256. ``logits``, ``seen`` uint8 [G, 971]: probabilities and
    the class of their weight, for mixed contexts, block flags, the flag of a pass, signs,
    refinements. ``mixing`` int16 [G, 4, 5] in 2^-12. ``centroids`` uint8 [orders, G, 3] in 256ths
    of a cell, for magnitudes 1, 2 and 3, more.

    Tables of streams with networks are wide: ``logits``, ``seen`` [G, 160] have no mixed contexts
    and no signs, ``mixing`` is [G, 4, 9]. A mixed context's logit is its orientation's ``shared``
    uint8 [3, 1642] and its group's ``levels`` uint8 [G, 8], less 256; that of a sign's context
    ``signs`` uint8 [9, 367] by channel and orientation. ``sign_mixing`` int16 [G, 22].
    """

    colours: NDArray[np.int16]
    step: NDArray[np.uint16]
    scales: NDArray[np.uint16]
    slopes: NDArray[np.int16]
    usual: NDArray[np.int8]
    squash: NDArray[np.uint16]
    logits: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    mixing: NDArray[np.int16]
    centroids: NDArray[np.uint8]
    wide: Wide | None = None

    def write(self, path: Path) -> None:
        """Write the file."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "wide"}
        np.savez_compressed(path, **own, **(self.wide._asdict() if self.wide else {}))


_N = len(ORDERS)
_SHAPES: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "colours": (np.int16, (3, 3)),
    "step": (np.uint16, (1,)),
    "scales": (np.uint16, (_N, 3, DEEPEST + 1)),
    "slopes": (np.int16, (_N, 3, 4, DEEPEST, PLANES, 2)),
    "usual": (np.int8, (3, ORIENTS, DEEPEST)),
    "squash": (np.uint16, (2 * STRETCH_LIMIT + 1,)),
    "logits": (np.uint8, (GROUPS, _SYMBOLS)),
    "seen": (np.uint8, (GROUPS, _SYMBOLS)),
    "mixing": (np.int16, (GROUPS, SETS, MODELS)),
    "centroids": (np.uint8, (_N, GROUPS, 3)),
}
_WIDE_SHAPES = _SHAPES | {
    "logits": (np.uint8, (GROUPS, WIDE_ROW)),
    "seen": (np.uint8, (GROUPS, WIDE_ROW)),
    "mixing": (np.int16, (GROUPS, SETS, len(WIDE_SIZES) + 1)),
    "shared": (np.uint8, (ORIENTS, WIDE_CONTEXTS)),
    "levels": (np.uint8, (GROUPS, len(WIDE_SIZES))),
    "signs": (np.uint8, (3 * ORIENTS, WIDE_SIGNS)),
    "sign_mixing": (np.int16, (GROUPS, SIGN_INPUTS)),
}


def read(path: Path) -> Stored:
    """Read and check a file. Raises ArtifactError naming what is wrong."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} is not a file of tables: {error}") from error
    shapes = _WIDE_SHAPES if "shared" in arrays else _SHAPES
    if arrays.keys() != shapes.keys():
        raise ArtifactError(f"{path} holds {sorted(arrays)}, not {sorted(shapes)}")
    for name, (dtype, shape) in shapes.items():
        found = arrays[name]
        if found.dtype != dtype or found.shape != shape:
            raise ArtifactError(f"{path}: {name} is {found.dtype} {list(found.shape)}")
    wide = None
    if shapes is _WIDE_SHAPES:
        wide = Wide(*(arrays.pop(name) for name in Wide._fields))
    stored = Stored(**arrays, wide=wide)
    if not stored.step.all() or not stored.scales.all():
        raise ArtifactError(f"{path}: a step is 0")
    if stored.seen.max() >= len(SEEN):
        raise ArtifactError(f"{path}: a class of weights is {stored.seen.max()}")
    if (np.diff(stored.squash.astype(np.int32)) < 0).any() or not stored.squash[0]:
        raise ArtifactError(f"{path}: squash falls, or begins at 0")
    return stored


class Tables(NamedTuple):
    """A file's tables, ready to be used."""

    stored: Stored
    fixed: Fixed
    models: Models


def opened(path: Path) -> Tables:
    """Read, check and prepare a file. Raises ArtifactError."""
    stored = read(path)
    return Tables(stored, fixed_of(stored), models_of(stored))


def fixed_of(stored: Stored) -> Fixed:
    """The tables that never change while a photo is coded."""
    squash = stored.squash.astype(np.int32)
    middles = (2 * np.arange(4096, dtype=np.int32) + 1) << (PRECISION - 13)
    stretch = np.searchsorted(squash, middles) - STRETCH_LIMIT
    sums = np.arange(LARGEST_SUM + 1)
    return Fixed(
        stretch=np.minimum(stretch, STRETCH_LIMIT).astype(np.int16),
        squash=squash,
        rates=(2**17 // (2 * np.arange(256) + 3)).astype(np.int32),
        coarse=np.searchsorted(COARSE, sums, side="right").astype(np.int8),
        smooth=np.searchsorted(SMOOTH, sums, side="right").astype(np.int8),
        most=MOST_SEEN,
    )


def models_of(stored: Stored) -> Models:
    """The models as a stream begins with them."""
    seen = np.array(SEEN, np.int32)[stored.seen]
    packed = _packed(stored, stored.logits.astype(np.int32), seen)
    wide = stored.wide
    if wide is None:
        ends = np.cumsum((CONTEXTS, FLAGS, 1, SIGNS))
        mixed, flags, empty, signs, fine = np.split(packed, ends, axis=1)
        sign_mixing = np.zeros((GROUPS, 0), np.int16)
    else:
        flags, empty, fine = np.split(packed, np.cumsum((FLAGS, 1)), axis=1)
        classes = np.arange(GROUPS) // RANKS
        logits = np.repeat(wide.levels.astype(np.int32), WIDE_SIZES, axis=1)
        logits += wide.shared[classes % ORIENTS].astype(np.int32) - 256 + UNKNOWN
        mixed = _packed(stored, logits, SHARED_SEEN)
        signs = _packed(stored, wide.signs[classes].astype(np.int32), SHARED_SEEN)
        sign_mixing = wide.sign_mixing
    return Models(
        mixed=np.ascontiguousarray(mixed),
        weights=stored.mixing.astype(np.int32) << 4,
        flags=np.ascontiguousarray(flags),
        empty=np.ascontiguousarray(empty[:, 0]),
        signs=np.ascontiguousarray(signs),
        fine=np.ascontiguousarray(fine),
        sign_weights=sign_mixing.astype(np.int32) << 4,
    )


def _packed(
    stored: Stored, logits: NDArray[np.int32], seen: NDArray[np.int32] | int
) -> NDArray[np.int32]:
    places = LOGIT_STEP * (logits - UNKNOWN) + STRETCH_LIMIT
    likely = stored.squash[np.clip(places, 0, len(stored.squash) - 1)].astype(np.int32)
    return likely << (PROBABILITY_BITS - PRECISION + 8) | seen


def exchange(stored: Stored, order: int, grid: Grid, number: int) -> float:
    """Squared error, of three channels together, that a bit of a pass of the grid buys."""
    channel, band, plane, kind = grid.passes[number].tolist()
    level, orient = int(grid.bands[band, LEVEL]), int(grid.bands[band, ORIENT])
    deeper = max(level - DEEPEST, 0) if orient else level - DEEPEST
    at = min(max(plane - deeper, 0), PLANES - 1)
    row = min(level, DEEPEST) - 1 if orient else DEEPEST - 1
    slope = int(stored.slopes[order][channel, orient, row, at, kind]) / OCTAVE + 2 * (plane - at)
    return float((float(stored.step[0]) / 256) ** 2 * 2.0**slope)


def fresh(models: Models) -> Models:
    """A copy that a photo may adapt."""
    return Models(*(array.copy() for array in models))
