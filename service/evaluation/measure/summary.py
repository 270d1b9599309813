"""Means over pictures: at targets by the paper's rule, at exact rates, and along the curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.evaluation.measure.measuring import Measured
from service.evaluation.measure.rate_matching import at_exactly, nearest_not_under

Counting = Literal["payload", "file"]
"""What of a file is counted: the header-less payload, or all that is fetched."""

Reading = Literal["nearest", "exact", "own"]
"""How a target is answered: the paper's rule, interpolated, or not at all (placeholders)."""

COVERED_SHARE = 0.99
CURVE_POINTS = 24
CONFIDENCE = 1.96  # standard errors to each side: 95 %


@dataclass(frozen=True)
class Mean:
    """A mean over pictures and half its 95 % confidence interval (normal approximation)."""

    value: float
    half_width: float


NOTHING = Mean(float("nan"), float("nan"))


@dataclass(frozen=True)
class Cell:
    """One codec at one target (in the run's unit: bytes or bits per pixel; None for ``own``).

    ``payload_rate`` and ``file_rate`` are what was really spent, counted both ways; of an
    interpolated reading they say nothing (NaN). ``over_share`` and ``under_share`` are the shares
    of pictures of which even the smallest setting is over the target, or the largest under it;
    ``covered_share`` the share that an interpolated score is the mean of.
    """

    codec: str
    counting: Counting
    reading: Reading
    target: float | None
    pictures: int
    payload_rate: Mean
    file_rate: Mean
    scores: Mapping[str, Mean]
    over_share: float
    under_share: float
    covered_share: float


@dataclass(frozen=True)
class Curve:
    """Mean scores of one codec on a grid of rates (geometric), interpolated for each picture."""

    codec: str
    counting: Counting
    rates: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float64]]
    half_widths: Mapping[str, NDArray[np.float64]]


def rates_of(
    measured: Measured, counting: Counting, pixels: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """Rates [I, S] in bytes, or in bits per pixel where ``pixels`` [I] are given."""
    counted = measured.payload_bytes if counting == "payload" else measured.file_bytes
    if pixels is None:
        return counted.astype(np.float64)
    return np.asarray(counted * 8 / pixels[:, None], dtype=np.float64)


def cells_of(
    measured: Measured,
    counting: Counting,
    targets: Sequence[float],
    pixels: NDArray[np.int64] | None,
) -> list[Cell]:
    """Both readings at every target; of a placeholder the one cell of its own size."""
    both = rates_of(measured, "payload", pixels), rates_of(measured, "file", pixels)
    rates = both[0] if counting == "payload" else both[1]
    rows = np.arange(len(rates))
    found = []
    for target in (None,) if measured.own_size else targets:
        wanted = np.full(len(rates), 0.0 if target is None else float(target))
        choice = nearest_not_under(rates, wanted)
        outside = float(choice.over.mean()), float(choice.under.mean())
        found.append(
            Cell(
                measured.name,
                counting,
                "own" if target is None else "nearest",
                target,
                len(rates),
                mean_of(both[0][rows, choice.index]),
                mean_of(both[1][rows, choice.index]),
                {name: mean_of(each[rows, choice.index]) for name, each in measured.scores.items()},
                *((0.0, 0.0) if target is None else outside),
                1.0,
            )
        )
        if target is None:
            continue
        exact = {name: at_exactly(rates, each, wanted) for name, each in measured.scores.items()}
        covered = ~choice.over
        found.append(
            Cell(
                measured.name,
                counting,
                "exact",
                target,
                len(rates),
                NOTHING,
                NOTHING,
                {name: mean_of(values[covered]) for name, values in exact.items()},
                *outside,
                float(covered.mean()),
            )
        )
    return found


def curve_of(
    measured: Measured, counting: Counting, limit: float, pixels: NDArray[np.int64] | None
) -> Curve:
    """The curve where at least 99 of 100 pictures are covered, up to the payload ``limit``.

    By whole files it goes on to the same payload. There are no points where no such stretch is.
    """
    rates = rates_of(measured, counting, pixels)
    if counting == "file":
        limit += float(np.mean(rates - rates_of(measured, "payload", pixels)))
    low = float(np.quantile(rates.min(axis=1), COVERED_SHARE, method="higher"))
    high = float(np.quantile(rates.max(axis=1), 1 - COVERED_SHARE, method="lower"))
    high = min(high, limit)
    grid = np.geomspace(low, high, CURVE_POINTS) if low < high else np.array([])
    means: dict[str, list[Mean]] = {name: [] for name in measured.scores}
    for rate in grid:
        wanted = np.full(len(rates), rate)
        for name, values in measured.scores.items():
            exact = at_exactly(rates, values, wanted)
            means[name].append(mean_of(exact[~np.isnan(exact)]))
    return Curve(
        measured.name,
        counting,
        grid,
        {name: np.array([mean.value for mean in found]) for name, found in means.items()},
        {name: np.array([mean.half_width for mean in found]) for name, found in means.items()},
    )


def mean_of(values: NDArray[np.float64]) -> Mean:
    """Mean and half the confidence interval; NaN of nothing, no width of one value."""
    if not len(values):
        return NOTHING
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Mean(float(values.mean()), CONFIDENCE * spread / len(values) ** 0.5)
