"""What a session trains, in which order, and how the minutes are shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Phase(NamedTuple):
    """Until this part of a run: iterations that are unrolled, bits drawn or, at last, signs."""

    until: float
    iterations: int
    signs: bool


FROM_NOTHING = Phase(0.3, 8, False), Phase(0.6, 16, False), Phase(1.0, 16, True)
GOING_ON = Phase(0.5, 16, False), Phase(1.0, 16, True)
SHIPPED = "models/artifacts/gru-entropy"
"""Where the networks of 2017 begin: with what the same network learned of 2016's hard tiles."""
FROM_HARD = "gru-hard", SHIPPED


@dataclass(frozen=True)
class Recipe:
    """One run. ``share`` is its part of the minutes, against the others'.

    ``start_from`` names runs of this session, kept files or artifacts: the first that is there.
    With ``equal`` ("samples" or "gmac", and an earlier run) it ends when it has seen or computed as
    much as that one; its share is then only a limit. ``bits`` a weight are kept: 16 are a float16.
    """

    name: str
    system: str
    pictures: str
    share: float
    config: str = "small"
    crop: int = 32
    batch: int = 96
    loss: str = "absolute"
    rate: float = 1.2e-3
    start_from: tuple[str, ...] = ()
    equal: tuple[str, str] | None = None
    phases: tuple[Phase, ...] = FROM_NOTHING
    bits: int = 16
    codec: str | None = None
    """Whose bits an entropy model learns: a run, of the same ``start_from``."""


def _of_2017(name: str, system: str, share: float, **options: object) -> Recipe:
    """64x64 crops of photo tiles where the paper has 128x128; begun with ``gru-hard``."""
    usual: dict[str, object] = {
        "crop": 64,
        "batch": 32,
        "loss": "dssim",
        "phases": GOING_ON,
        "start_from": FROM_HARD,
    }
    return Recipe(name, system, "photos", share, **{**usual, **options})  # type: ignore[arg-type]


def _diffusion(k: int) -> Recipe:
    """The second recipe: half the batch, two fifths of the rate, equal SAMPLES for k = 0..3.

    All four begin with this session's DSSIM network, whose weights they share: the minutes are too
    few for four trainings from nothing.
    """
    return _of_2017(
        f"gru-diffusion-{k}",
        f"gru-diffusion-{k}" if k else "gru",
        (0.6, 1.3, 1.9, 2.5)[k],
        batch=16,
        rate=4e-4,
        start_from=("gru-dssim", *FROM_HARD),
        equal=("samples", "gru-diffusion-0") if k else None,
        bits=8,
    )


def _entropy(codec: str, system: str) -> Recipe:
    """BinaryRNN on the bits of 128x128 crops, 8x8 positions: what a kernel of 7x7 needs."""
    return Recipe(
        f"binary-rnn-{codec}",
        system,
        "photos",
        0.6,
        crop=128,
        batch=64,
        rate=3e-3,
        phases=(Phase(1.0, 16, True),),
        start_from=(SHIPPED,),
        codec=f"gru-{codec}",
    )


RUNS = (
    Recipe("gru-hard", "gru-one-shot", "high-entropy", 1.0),
    _of_2017("gru-dssim", "gru", 1.3),
    _of_2017(  # as far as gru-dssim, from the same weights: the pair is compared
        "gru-prime",
        "gru-prime",
        1.6,
        equal=("gmac", "gru-dssim"),
    ),
    _of_2017(
        "gru-best",
        "gru-prime",
        1.3,
        rate=6e-4,
        start_from=("gru-prime", *FROM_HARD),
    ),
    Recipe("lstm-scaling", "lstm-scaling", "thumbnails", 1.2),
    Recipe("gru-thumbs", "gru-one-shot", "thumbnails", 1.0),
    Recipe("residual-gru-hard", "residual-gru-one-shot", "high-entropy", 1.2),
    _of_2017(
        "gru-l1",
        "gru",
        1.6,
        loss="absolute",
        equal=("gmac", "gru-dssim"),
    ),
    *(_diffusion(k) for k in range(4)),
    _entropy("dssim", "gru"),
    _entropy("best", "gru-prime"),
    _entropy("hard", "gru-one-shot"),  # the bits of what ships as gru-entropy
    Recipe("gru-additive-thumbs", "gru-additive", "thumbnails", 0.7, bits=8),
    Recipe("associative-lstm-thumbs", "associative-lstm-one-shot", "thumbnails", 0.9, bits=8),
    Recipe("fc-lstm-bitwise", "fc-lstm-bitwise", "grey", 0.3, loss="squared"),
    Recipe(
        "gru-paper",
        "gru-one-shot",
        "high-entropy",
        1.5,
        config="paper",
        batch=128,
        rate=6e-4,
        bits=5,
    ),
)
"""The most wanted first: what fails or is cut off at the end costs the others nothing."""
