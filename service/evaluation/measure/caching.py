"""Measurements on disk, so that a run that was cut off goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]


class ResultCache:
    """Named arrays under a key that holds everything they depend on."""

    def __init__(self, folder: Path, *, read: bool = True) -> None:
        """``folder`` is made when something is first put; without ``read`` nothing is found."""
        self._folder = folder
        self._read = read

    def key(self, *parts: object) -> str:
        """Key of what depends on ``parts``, which must be JSON."""
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def get(self, key: str) -> Arrays:
        """The arrays. Raises KeyError when they are not there or cannot be read."""
        if not self._read:
            raise KeyError(key)
        try:
            with np.load(self._path(key), allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise KeyError(key) from error

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays; a reader sees all of them or none."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        partial = path.with_name(f"{key}.{os.getpid()}.part")
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        partial.replace(path)

    def once(self, key: str, measure: Callable[[], Arrays]) -> Arrays:
        """What is there; else what ``measure`` gives, which is kept."""
        try:
            return self.get(key)
        except KeyError:
            found = measure()
            self.put(key, found)
            return found

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"
