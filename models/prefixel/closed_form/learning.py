"""From training thumbnails to the tables of an embedded codec: means and counts, no gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.prefixel.closed_form import counting
from models.prefixel.closed_form.slopes import pooled
from service.codec.entropy.range_coder import TOTAL
from service.codec.geometry import THUMB_SIDE
from service.codec.prefixel.codec import coefficients, in_steps, whole_steps
from service.codec.prefixel.context_model import (
    COEFFICIENTS,
    ENERGY_SHIFT,
    PLANE_CLASSES,
    USUAL_ENERGY,
)
from service.codec.prefixel.rate_model import COST_UNIT, cost_table
from service.codec.prefixel.tables import OCTAVE, OFFSETS, Stored, for_parse, neighbours

GROUPS = 7
CLASSES = 52
UNIT_CLASS = 24
"""Class of a coefficient whose usual size is one cell."""
ROWS = 16
WEIGHT = 64
LARGEST_RATIO = 6.0
COUNTED_BITS = 4096
"""Counting weighs a picture's first 512 bytes."""
ESCAPE = TOTAL // 128
"""Frequency of a coefficient larger than its first plane; rarer in photos, and not free."""

Floats = NDArray[np.float32]


def learn(thumbnails: NDArray[np.uint8], step: float, rounds: int = 2) -> Stored:
    """Tables from uint8 [N, 32, 32, 3]; ``step`` is the finest cell, in levels of 255."""
    colours = colour_axes(thumbnails)
    steps = np.full(COEFFICIENTS, round(16 * step), np.uint16)
    return learn_tables(coefficients(thumbnails, colours), colours, steps, rounds)


def learn_tables(
    raw: Floats, colours: Floats, steps: NDArray[np.uint16], rounds: int = 2
) -> Stored:
    """Tables from coefficients [N, 3072] on colour axes [3, 3]; ``steps`` [3072] in 16ths."""
    means = np.rint(16 * raw.mean(axis=0))
    means[np.abs(means) < 16 * 4 * raw.std(axis=0) / np.sqrt(len(raw))] = 0
    values = np.asarray((raw - means / 16) * 16 / steps, np.float32)
    usual = np.abs(values).mean(axis=0)
    sizes = np.rint(PLANE_CLASSES * np.log2(np.maximum(usual, 2.0**-6))) + UNIT_CLASS
    stored = Stored(
        sizes=sizes.clip(0, CLASSES - 1).astype(np.uint8),
        groups=group_map(),
        weights=energy_weights(values / np.maximum(usual, 1e-6)),
        rows=energy_contexts(),
        significance=np.full((GROUPS, CLASSES, ROWS), TOTAL // 8, np.uint16),
        refinement=np.full((GROUPS, CLASSES, 2), TOTAL // 2, np.uint16),
        escape=np.full(1, ESCAPE, np.uint16),
        zero=np.full((GROUPS, CLASSES), USUAL_ENERGY, np.uint8),
        nonzero=np.full((GROUPS, CLASSES), USUAL_ENERGY, np.uint8),
        priorities=np.zeros((2, GROUPS, CLASSES), np.int16),
        steps=steps,
        means=means.astype(np.int16),
        centroids=np.full((GROUPS, CLASSES, 3), 128, np.uint8),
        colours=colours_as_integers(colours),
    )
    stored = with_cells(stored, values, usual)
    whole = whole_steps(in_steps(stored, raw))
    for _ in range(rounds):
        stored = with_counts(stored, whole)
    return stored


def colour_axes(thumbnails: NDArray[np.uint8]) -> Floats:
    """Principal axes of the colours in rows, the strongest first, each with a positive sum."""
    pixels = thumbnails.reshape(-1, 3)[::7].astype(np.float64)
    _, axes = np.linalg.eigh(np.cov(pixels.T))
    rows = axes.T[::-1]
    rows = rows * np.where(rows.sum(axis=1, keepdims=True) < 0, -1, 1)
    return np.asarray(colours_as_integers(rows) / 2**14, np.float32)


def colours_as_integers(axes: NDArray[np.floating]) -> NDArray[np.int16]:
    """As the artifact holds them."""
    return np.asarray(np.rint(axes * 2**14), np.int16)


def group_map() -> NDArray[np.uint8]:
    """Three means, the coarse and the fine first channel, the second, the third: uint8 [3072]."""
    channel, row, column = np.indices((3, THUMB_SIDE, THUMB_SIDE)).reshape(3, -1)
    groups = channel + 4
    groups[(channel == 0) & (row + column < 6)] = 3
    means = row + column == 0
    groups[means] = channel[means]
    return np.asarray(groups, np.uint8)


def energy_weights(ratios: Floats) -> NDArray[np.uint8]:
    """How a coefficient's size follows from its neighbours', each against its usual: [3, 14].

    Least squares without negative weights, scaled to a sum of 64.
    """
    ratios = np.minimum(np.abs(ratios[:4000]), LARGEST_RATIO)
    ratios = np.concatenate([ratios, np.ones((len(ratios), 1), np.float32)], axis=1)
    near, _ = neighbours(np.zeros((3, len(OFFSETS) + 2), np.uint8))
    channel, row, column = np.indices((3, THUMB_SIDE, THUMB_SIDE)).reshape(3, -1)
    weights = np.zeros((3, len(OFFSETS) + 2))
    for c in range(3):
        chosen = np.flatnonzero((channel == c) & (row + column > 1) & (row + column < 20))
        x = ratios[:, near[chosen]].reshape(-1, near.shape[1]) - 1  # [N * chosen, 14]
        y = ratios[:, chosen].reshape(-1) - 1
        gram, moment = x.T @ x, x.T @ y
        kept = np.arange(near.shape[1])
        while True:
            found = np.linalg.solve(gram[np.ix_(kept, kept)], moment[kept])
            if found.min() >= 0:
                break
            kept = kept[found > 0]
        weights[c, kept] = found / found.sum()
    return np.rint(WEIGHT * weights).astype(np.uint8)


def energy_contexts() -> NDArray[np.uint8]:
    """Rows are quarters of an octave of energy, the usual one in the middle."""
    energy = np.maximum(np.arange(256), 1) / (WEIGHT * USUAL_ENERGY >> ENERGY_SHIFT)
    return np.asarray(np.clip(np.floor(4 * np.log2(energy) + ROWS / 2), 0, ROWS - 1), np.uint8)


def with_cells(stored: Stored, values: Floats, usual: Floats) -> Stored:
    """Centroids, energies and priorities from what the cells hold."""
    significance = np.zeros((GROUPS, CLASSES, 5))
    refinement = np.zeros((GROUPS, CLASSES, 2, 4))
    cells = np.zeros((GROUPS, CLASSES, 3, 2))
    counting.cell_sums(values, usual, for_parse(stored), significance, refinement, cells)
    asked, nonzero, _, ratio_zero, ratio_nonzero = np.moveaxis(significance, -1, 0)
    number, inside = np.moveaxis(cells, -1, 0)
    slopes = [pooled(significance[g], refinement[g]) for g in range(GROUPS)]
    logs = OCTAVE * np.log2(np.maximum(np.array(slopes), 1e-9)).transpose(1, 0, 2)

    def energy(total: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.uint8]:
        mean = np.where(count > 0, total / np.maximum(count, 1), 1.0)
        return np.asarray(np.rint(USUAL_ENERGY * mean).clip(1, 255), np.uint8)

    centroids = (256 * inside + 20 * 115) / (number + 20)
    return replace(
        stored,
        zero=energy(ratio_zero, asked - nonzero),
        nonzero=energy(ratio_nonzero, nonzero),
        priorities=np.rint(logs).clip(-(2**15), 2**15 - 1).astype(np.int16),
        centroids=np.rint(centroids).clip(0, 255).astype(np.uint8),
    )


def with_counts(stored: Stored, whole: NDArray[np.int32]) -> Stored:
    """Frequencies counted over the training pictures as the parse meets their symbols."""
    significance = np.zeros((GROUPS, CLASSES, ROWS, 2), np.int64)
    refinement = np.zeros((GROUPS, CLASSES, 2, 2), np.int64)
    tables = for_parse(stored)
    cost, limit = cost_table(), COUNTED_BITS * COST_UNIT
    for picture in whole:
        counting.symbol_counts(tables, picture, cost, limit, significance, refinement)
    no_context = significance.sum(axis=2, keepdims=True)
    pool = significance.sum(axis=(0, 2), keepdims=True) + np.array([4.0, 0.5])
    pool = pool / pool.sum(axis=-1, keepdims=True)
    static = no_context + 8 * pool
    static = static / static.sum(axis=-1, keepdims=True)
    rows = significance + 8 * static
    nonzero = rows[..., 1] / rows.sum(axis=-1)
    ones = (refinement[..., 1] + 20 * 0.45) / (refinement.sum(axis=-1) + 20)
    half = np.rint(nonzero * TOTAL / 2).clip(1, TOTAL // 2 - 1)
    return replace(
        stored,
        significance=half.astype(np.uint16),
        refinement=np.rint(ones * TOTAL).clip(1, TOTAL - 1).astype(np.uint16),
    )
