"""Tables of probabilities out of counts: contexts that were hardly seen borrow from others."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.codec.photo.bitplane_coder import (
    FINE,
    FLAGS,
    SIGNS,
    SIZES,
    WIDE_CONTEXTS,
    WIDE_SIGNS,
    WIDE_SIZES,
)
from service.codec.photo.order import GROUPS, ORIENTS, RANKS
from service.codec.photo.tables import LOGIT_STEP, SEEN, UNKNOWN, Stored

Floats = NDArray[np.float64]
FITS = 60
"""Rounds in which levels and what they share are fitted to counts."""


def with_counts(stored: Stored, counts: NDArray[np.int64]) -> Stored:
    """Probabilities of 1 out of [G, symbols, 2]."""
    if not stored.wide:
        sizes = (*SIZES, FLAGS, 1, SIGNS, FINE)
        logits, seen = _of_groups(counts, sizes, halves=2)
        return replace(stored, logits=logits, seen=seen)
    mixed, rest, signs, fine = np.split(
        counts, np.cumsum((WIDE_CONTEXTS, FLAGS + 1, WIDE_SIGNS)), axis=1
    )
    logits, seen = _of_groups(np.concatenate((rest, fine), 1), (FLAGS, 1, FINE), halves=1)
    fitted = [_fitted(part) for part in np.split(mixed, np.cumsum(WIDE_SIZES)[:-1], axis=1)]
    pooled = signs.reshape(3 * ORIENTS, RANKS, WIDE_SIGNS, 2).sum(1) + 4
    wide = stored.wide._replace(
        shared=np.concatenate([shared for _, shared in fitted], 1),
        levels=np.stack([level for level, _ in fitted], 1),
        signs=_byte(np.log(pooled[..., 1] / pooled[..., 0])),
    )
    return replace(stored, logits=logits, seen=seen, wide=wide)


def _byte(logit: Floats) -> NDArray[np.uint8]:
    return np.clip(np.rint(logit * 256 / LOGIT_STEP) + UNKNOWN, 1, 255).astype(np.uint8)


def _fitted(counts: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Levels [G] and what orientations share [3, size]: their sums are logits of [G, size, 2].

    Newton's steps in turn, which contexts that were hardly seen hardly take.
    """
    parts = counts.reshape(3, ORIENTS, RANKS, -1, 2).astype(np.float64)
    seen, ones = parts.sum(-1), parts[..., 1]
    level = np.full((3, ORIENTS, RANKS), -2.0)
    shared = np.zeros((ORIENTS, parts.shape[3]))
    for _ in range(FITS):
        for is_shared in (False, True):
            likely = 1 / (1 + np.exp(-(level[..., None] + shared[None, :, None])))
            slope, bend = ones - seen * likely, seen * likely * (1 - likely)
            if is_shared:
                shared += 0.7 * (slope.sum((0, 2)) - 0.3 * shared) / (bend.sum((0, 2)) + 0.3)
            else:
                level += 0.7 * slope.sum(-1) / (bend.sum(-1) + 1)
    return _byte(level.reshape(GROUPS)), _byte(shared)


def _of_groups(
    counts: NDArray[np.int64], sizes: tuple[int, ...], halves: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Logits and classes [G, symbols]; contexts of a group borrow from each other.

    The last ``halves`` parts are nearly even: they borrow more.
    """
    ends = np.cumsum((0, *sizes))
    likely = np.empty(counts.shape[:2])
    seen = counts.sum(-1)
    for first, last in pairwise(ends):
        near = counts[:, first:last].astype(np.float64)
        pooled = near.sum((0, 1)) + 1e-3
        group = near.sum(1, keepdims=True) + 4 * (pooled / pooled.sum())
        share = group[..., 1] / group.sum(-1)
        strength = 0.5 if last <= ends[-1 - halves] else 8.0
        likely[:, first:last] = (near[..., 1] + strength * share) / (near.sum(-1) + strength)
    trust = np.searchsorted(SEEN, np.minimum(seen // 2, SEEN[-1]), side="right") - 1
    return _byte(np.log(likely / (1 - likely))), trust.astype(np.uint8)
