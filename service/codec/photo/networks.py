"""The networks of `photo`, stage by stage over tiles of cells: a tile stays in a core's cache.

    first      cells -> channels                                  each cell alone
    1, 2 ..    channels -> channels, told how precisely bands are known    5x5 cells around
    last       channels and cells -> cells                        each cell alone

Between stages the channels of all cells are kept, 8 bytes a pixel, with zeros around. So tiles
compute the same numbers as one large picture would, nothing twice, and there are no seams.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from service.codec.artifact import Artifact
from service.codec.photo.cells import COEFFICIENTS, Floats, Split, Tile, Units, put, take, tiles_of
from service.codec.photo.threads import Threads
from service.errors import ArtifactError
from service.inference import Runtime, Session

ROLES = ("analysis", "synthesis")
TILE = (32, 64)
"""Rows and columns of cells: what a stage computes of them stays in a core's cache."""
DEVICE_TILE = (256, 256)
"""The same for a device that is no processor."""
HALO = 2
"""Cells around each that a block looks at."""


class CellNetwork:
    """One of both networks, loaded. Thread-safe.

    ``first_plane``: known less precisely than that, a picture is better off without synthesis.
    ``last_plane``: streams end with it, since the networks were hardly trained for finer ones.
    """

    def __init__(self, artifact: Artifact, runtime: Runtime, role: str) -> None:
        """Raises ArtifactError where a stage is missing or is none of the family's."""
        count = sum(name.startswith(f"{role}-") for name in artifact.manifest.graphs)
        if count < 3:  # the least: one block
            raise ArtifactError(f"{artifact.manifest.name}: {role} has {count} stages")
        self._stages = [
            runtime.session(artifact.graph(f"{role}-{n}"), "nothing") for n in range(count)
        ]
        planes = [artifact.manifest.config.get(name) for name in ("first_plane", "last_plane")]
        first_plane, last_plane = planes
        if not isinstance(first_plane, int) or not isinstance(last_plane, int):
            raise ArtifactError(f"{artifact.manifest.name}: first_plane, last_plane are {planes}")
        self.first_plane, self.last_plane = first_plane, last_plane
        self._tile = TILE if runtime.device_name == "cpu" else DEVICE_TILE
        self.channels, self.told = self._checked(artifact.manifest.name, role)

    def _checked(self, name: str, role: str) -> tuple[int, int]:
        """Channels between stages, and how many numbers a block is told."""
        first, *blocks, last = self._stages
        channels = first.outputs[0].shape[1]
        told = {_told(stage) for stage in blocks}
        fits = (
            first.inputs[0].shape[1] == last.outputs[0].shape[1] == COEFFICIENTS
            and isinstance(channels, int)
            and len(told) == 1
        )
        if not fits:
            raise ArtifactError(f"{name}: stages of {role} do not fit each other")
        assert isinstance(channels, int)
        return channels, told.pop()

    def run(
        self,
        split: Split,
        units: Units,
        threads: Threads,
        told: Floats | None = None,
    ) -> None:
        """Put what the network makes of all cells in their place; ``threads`` share tiles.

        ``told`` float32 [1, numbers], where the network is told any.
        """
        whole = Tile(0, 0, *split.low[0].shape)
        tiles = tiles_of(whole, self._tile)
        around = 2 * HALO
        shape = (self.channels, whole.rows + around, whole.columns + around)
        h, other = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        first, *blocks, last = self._stages

        def enter(tile: Tile) -> None:
            found = first.run({"cells": take(split, units, tile)[None]})["h"][0]
            _inside(h, whole, tile)[:] = found

        threads.each(enter, tiles)
        for stage in blocks:
            threads.each(_block(stage, h, other, whole, told), tiles)
            h, other = other, h

        def leave(tile: Tile) -> None:
            given = {"h": _inside(h, whole, tile)[None], "cells": take(split, units, tile)[None]}
            put(split, units, tile, last.run(given)["found"][0])

        threads.each(leave, tiles)


def _block(
    stage: Session, h: Floats, other: Floats, whole: Tile, told: Floats | None
) -> Callable[[Tile], None]:
    def block(tile: Tile) -> None:
        given = {"h": _inside(h, whole, tile, HALO)[None]}
        if told is not None:
            given["told"] = told
        _inside(other, whole, tile)[:] = stage.run(given)["h_next"][0]

    return block


def _inside(h: Floats, whole: Tile, tile: Tile, around: int = 0) -> Floats:
    """A tile's channels, and so many cells ``around``, of those that have zeros around."""
    top, left = tile.top - whole.top + HALO - around, tile.left - whole.left + HALO - around
    high, wide = tile.rows + 2 * around, tile.columns + 2 * around
    return h[:, top : top + high, left : left + wide]


def _told(stage: Session) -> int:
    shapes = {tensor.name: tensor.shape for tensor in stage.inputs}
    numbers = shapes.get("told", (1, 0))[1]
    return numbers if isinstance(numbers, int) else -1
