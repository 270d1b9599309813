"""What lies between the graphs: how often a half runs, and how its output becomes a picture.

    x_t = D(b_t) / g_{t-1} + gamma x_{t-1};  g_t = G(x_t), or 1 where there is no such network

k-priming runs a half k times more before its first result counts, k-diffusion before every one:
of those runs only the states are kept. Sources: Toderici et al. 2016, equations 1 to 3; Johnston et
al. 2017, sections 3.2 and 3.3.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from service.codec.artifact import Artifact
from service.codec.recurrent.codec import Floats, RecurrentStage
from service.codec.recurrent.grid import TILE, BitGrid
from service.errors import ArtifactError
from service.inference import Runtime, Session


@dataclass(frozen=True, slots=True)
class Networks:
    """The graphs of one codec, and what its manifest's ``config`` says of their use."""

    encoder: Session
    decoder: Session
    gain: Session | None
    gamma: int
    priming: int
    diffusion: int

    @classmethod
    def load(cls, artifact: Artifact, runtime: Runtime) -> Networks:
        """Raises ArtifactError where a graph is missing or damaged, or a number is."""
        manifest = artifact.manifest
        numbers = [manifest.config.get(name) for name in ("gamma", "priming", "diffusion")]
        gamma, priming, diffusion = (n if isinstance(n, int) else -1 for n in numbers)
        if gamma not in (0, 1) or min(priming, diffusion) < 0:
            raise ArtifactError(f"{manifest.name}: config lacks gamma, priming or diffusion")
        gain = artifact.network("gain") if "gain" in manifest.graphs else None
        return cls(
            runtime.session(artifact.network("encoder")),
            runtime.session(artifact.network("decoder")),
            None if gain is None else runtime.session(gain),
            gamma,
            priming,
            diffusion,
        )

    def extra(self, iteration: int) -> int:
        """Runs of each half before the one that counts; iterations begin with 0."""
        return self.diffusion if iteration else max(self.priming, self.diffusion)


class Analysis:
    """The encoder's side of one picture: residuals to bits."""

    def __init__(self, networks: Networks, grid: BitGrid) -> None:
        self._networks, self._iteration = networks, 0
        self._stage = RecurrentStage(networks.encoder, 1, grid.rows, grid.columns)

    def step(self, residual: Floats) -> Floats:
        """[1, 3, H, W], enlarged by the gain -> bits [1, 32, rows, columns] of -1 and +1."""
        for _ in range(self._networks.extra(self._iteration)):
            self._stage.step(residual)
        self._iteration += 1
        return self._stage.step(residual)


class Synthesis:
    """The decoder's side of one picture, which the encoder runs as well: bits to pictures."""

    def __init__(self, networks: Networks, grid: BitGrid) -> None:
        self._networks, self._iteration = networks, 0
        self._stage = RecurrentStage(networks.decoder, 1, grid.rows, grid.columns)
        self.picture = np.zeros((1, 3, TILE * grid.rows, TILE * grid.columns), np.float32)
        self.gain: Floats = np.ones(1, np.float32)

    def fork(self) -> Self:
        """A second one that goes on from the same states."""
        twin = copy(self)
        twin._stage = self._stage.fork()
        return twin

    def step(self, bits: Floats) -> Floats:
        """[1, 32, rows, columns], 0 where one is not known -> the picture [1, 3, H, W]."""
        for _ in range(self._networks.extra(self._iteration)):
            self._stage.step(bits)
        self._iteration += 1
        output = self._stage.step(bits)
        self.picture = output / self.gain + np.float32(self._networks.gamma) * self.picture
        if self._networks.gain is not None:
            (self.gain,) = self._networks.gain.run({"picture": self.picture}).values()
        return self.picture
