"""The tables of a codec with an importance map, as its artifact holds them and the scan wants them.

The file is a NumPy ``.npz`` (FORMAT.md, "Tables of the importance map"), read without pickle.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.range_coder import PRECISION
from service.codec.importance.volume_coder import (
    MODELS,
    PROBABILITY_BITS,
    STRETCH_LIMIT,
    SYMBOLS,
    Fixed,
    Models,
    questions,
    starts,
)
from service.errors import ArtifactError

LOGIT_STEP = 22
"""A stored probability ``b`` is squash(LOGIT_STEP * (b - 128)) of 65536."""
SEEN = (0, 1, 2, 4, 8, 16, 32)
"""How many symbols a stored probability counts for, by its class."""
MOST_SEEN = 250
"""A probability goes on moving as if it had seen so many symbols at most."""


@dataclass(frozen=True)
class Stored:
    """The arrays of the file, under these names; L centres, K channels, Q questions, C contexts.

    ``centres`` float32 [L], ascending. ``missing`` float32 [K]: what stands for a symbol that a
    prefix does not decide. ``squash`` uint16: 65536 times the logistic function of x / 256.
    ``logits``, ``seen`` uint8 [Q, C]. ``mixing`` int16 [Q, K, MODELS] in 2^-12.
    """

    centres: NDArray[np.float32]
    missing: NDArray[np.float32]
    squash: NDArray[np.uint16]
    logits: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    mixing: NDArray[np.int16]

    def write(self, path: Path) -> None:
        """Write the file."""
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @property
    def zero(self) -> int:
        """The symbol whose centre is nearest to 0."""
        return int(np.abs(self.centres).argmin())


def read(path: Path) -> Stored:
    """Read and check a file. Raises ArtifactError naming what is wrong."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} is not a file of tables: {error}") from error
    names = {field.name for field in fields(Stored)}
    if arrays.keys() != names:
        raise ArtifactError(f"{path} holds {sorted(arrays)}, not {sorted(names)}")
    stored = Stored(**arrays)
    if not 3 <= stored.centres.size <= SYMBOLS or (np.diff(stored.centres) <= 0).any():
        raise ArtifactError(f"{path}: centres are 3 to {SYMBOLS}, ascending")
    if not 0 < stored.zero < stored.centres.size - 1:
        raise ArtifactError(f"{path}: the centre of zero is the first or the last")
    for name, (dtype, shape) in _shapes(stored).items():
        found = arrays[name]
        if found.dtype != dtype or found.shape != shape:
            raise ArtifactError(f"{path}: {name} is {found.dtype} {list(found.shape)}")
    if stored.seen.max() >= len(SEEN):
        raise ArtifactError(f"{path}: a class of weights is {stored.seen.max()}")
    if (np.diff(stored.squash.astype(np.int32)) < 0).any() or not stored.squash[0]:
        raise ArtifactError(f"{path}: squash falls, or begins at 0")
    return stored


def _shapes(stored: Stored) -> dict[str, tuple[type[np.generic], tuple[int, ...]]]:
    channels, centres = stored.missing.size, stored.centres.size
    asked = questions(stored.zero, centres - 1)
    contexts = starts(channels)[-1]
    return {
        "centres": (np.float32, (centres,)),
        "missing": (np.float32, (channels,)),
        "squash": (np.uint16, (2 * STRETCH_LIMIT + 1,)),
        "logits": (np.uint8, (asked, contexts)),
        "seen": (np.uint8, (asked, contexts)),
        "mixing": (np.int16, (asked, channels, MODELS)),
    }


def fixed_of(stored: Stored) -> Fixed:
    """The tables that never change while a photo is coded."""
    squash = stored.squash.astype(np.int32)
    middles = (2 * np.arange(4096, dtype=np.int32) + 1) << (PRECISION - 13)
    stretch = np.searchsorted(squash, middles) - STRETCH_LIMIT
    return Fixed(
        stretch=np.minimum(stretch, STRETCH_LIMIT).astype(np.int16),
        squash=squash,
        rates=(2**17 // (2 * np.arange(256) + 3)).astype(np.int32),
        most=MOST_SEEN,
    )


def models_of(stored: Stored) -> Models:
    """The models as a stream begins with them: fresh arrays, which a photo may adapt."""
    places = LOGIT_STEP * (stored.logits.astype(np.int32) - 128) + STRETCH_LIMIT
    likely = stored.squash[np.clip(places, 0, 2 * STRETCH_LIMIT)].astype(np.int32)
    seen = np.array(SEEN, np.int32)[stored.seen]
    return Models(
        likely << (PROBABILITY_BITS - PRECISION + 8) | seen, stored.mixing.astype(np.int32) << 4
    )
