"""Which networks are trained, each for its share of a session's minutes: a table.

a  Table 1: an autoencoder of 16 channels without rate, the context model afterwards
b  all together: importance map, centres, context model; the main one
c  the autoencoder first, the context model afterwards, at b's time (8 channels: near b's rate)
d  b without importance map
e  b with the cost of all symbols instead of the masked cost
f  five rates of one network: five importance maps
g  b at other rates, begun from b
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.zoo.mentzer2018 import rate

Learns = Literal["picture", "context", "all"]
"""Autoencoder and centres, the context model on what is frozen, or all at once."""


@dataclass(frozen=True)
class Phase:
    """A share of a run's time in which something learns."""

    learns: Learns
    share: float


TOGETHER = (Phase("all", 1.0),)
AFTERWARDS = (Phase("picture", 0.7), Phase("context", 0.3))


@dataclass(frozen=True)
class Run:
    """One network. ``target_bpp`` is t, of the highest importance map; None without rate.

    ``masked`` says whether the autoencoder pays for masked symbols alone; ``parts`` is its share of
    the session; ``begins`` names the run whose weights it starts from.
    """

    name: str
    letter: str
    parts: float
    channels: int = 32
    heads: int = 1
    target_bpp: float | None = None
    masked: bool = True
    phases: tuple[Phase, ...] = TOGETHER
    begins: str | None = None

    def target(self, head: int) -> float | None:
        """t of an importance map, in bits a symbol: (i / heads) t."""
        if self.target_bpp is None:
            return None
        share = (head + 1) / max(1, self.heads)
        return rate.a_symbol(share * self.target_bpp, self.channels)


RUNS = (
    Run("joint", "b", 14, target_bpp=0.3),
    Run("afterwards-8", "c", 14, channels=8, heads=0, phases=AFTERWARDS),
    Run("no-map", "d", 14, heads=0, target_bpp=0.3),
    Run("unmasked", "e", 14, target_bpp=0.3, masked=False),
    Run("afterwards-16", "a", 10, channels=16, heads=0, phases=AFTERWARDS),
    Run("five-rates", "f", 16, heads=5, target_bpp=0.6),
    Run("joint-15", "g", 6, target_bpp=0.15, begins="joint"),
    Run("joint-50", "g", 6, target_bpp=0.5, begins="joint"),
    Run("joint-75", "g", 6, target_bpp=0.75, begins="joint"),
)
LETTERS = "".join(sorted({run.letter for run in RUNS}))


def chosen(words: str) -> list[Run]:
    """The runs of a list as ``a,b,joint-50``: letters and names. Raises ValueError for others."""
    wanted = set(words.split(","))
    if unknown := sorted(wanted - set(LETTERS) - {run.name for run in RUNS}):
        names = ", ".join(run.name for run in RUNS)
        raise ValueError(f"no run {', '.join(unknown)}: they are {LETTERS}, or {names}")
    return [run for run in RUNS if wanted & {run.letter, run.name}]
