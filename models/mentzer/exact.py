"""Integer tables in place of the context model: counted over volumes of symbols.

probabilities    two rounds over the volumes; contexts that are rare borrow from all
mixing           weights that a round over all volumes ends with
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.mentzer import measuring
from models.zoo.mentzer2018 import rate
from models.zoo.mentzer2018.codec import Codec
from service.codec.importance import tables
from service.codec.importance.tables import LOGIT_STEP, SEEN, Stored
from service.codec.importance.volume_coder import (
    LEARN,
    MODELS,
    PRICE,
    STRETCH_LIMIT,
    Fixed,
    Models,
    empty,
    inside,
    questions,
    scan,
    starts,
)

ROUNDS = 2
Symbols = NDArray[np.int8]
"""[K, h, w], counted from the symbol of zero."""


@torch.no_grad()
def volumes(model: Codec, pictures: Tensor, head: int) -> Iterator[Symbols]:
    """Symbols of uint8 [N, H, W, 3], one picture after the other."""
    for some in pictures.split(4):
        symbols = model.code(model.encoder(measuring.planes(some)), head).symbols
        yield from (symbols - model.quantiser.of_zero).to(torch.int8).cpu().numpy()


def tables_of(model: Codec, tiles: Tensor, head: int) -> Stored:
    """Tables counted over tiles, uint8 [N, H, W, 3]."""
    centres = model.quantiser.centres.detach().cpu().numpy().astype(np.float32)
    zero = int(model.quantiser.of_zero)
    found = list(volumes(model, tiles, head))
    means = np.mean([centres[v.astype(int) + zero].mean((1, 2)) for v in found], axis=0)
    return counted(start(centres, means.astype(np.float32)), found)


def bits_a_pixel(model: Codec, stored: Stored, pictures: Tensor, head: int) -> float:
    """Mean of what pictures take, uint8 [N, H, W, 3], ideally."""
    return float(
        np.mean(
            [
                rate.a_pixel(bits(stored, volume).sum() / volume.size, len(volume))
                for volume in volumes(model, pictures, head)
            ]
        )
    )


def start(centres: NDArray[np.float32], missing: NDArray[np.float32]) -> Stored:
    """Tables that know nothing."""
    zero = int(np.abs(centres).argmin())
    asked = questions(zero, centres.size - 1)
    x = np.arange(-STRETCH_LIMIT, STRETCH_LIMIT + 1) / 256
    shape = asked, starts(missing.size)[-1]
    return Stored(
        centres,
        missing,
        np.clip(np.rint(65536 / (1 + np.exp(-x))), 1, 65535).astype(np.uint16),
        np.full(shape, 128, np.uint8),
        np.zeros(shape, np.uint8),
        np.full((asked, missing.size, MODELS), round(0.25 * 4096), np.int16),
    )


def counted(stored: Stored, volumes: Sequence[Symbols]) -> Stored:
    """Probabilities and weights after ``ROUNDS`` over the volumes."""
    fixed, weights = tables.fixed_of(stored), tables.models_of(stored).weights
    for _ in range(ROUNDS):
        counts = np.zeros((*stored.logits.shape, 2), np.int64)
        for volume in volumes:
            models = tables.models_of(stored)._replace(weights=weights)
            _scan(LEARN, stored, models, fixed, volume, counts)
        stored = _with_counts(stored, counts)
    mixing = np.clip((weights + 8) >> 4, -(2**15), 2**15 - 1).astype(np.int16)
    return replace(stored, mixing=mixing)


def bits(stored: Stored, volume: Symbols) -> NDArray[np.float64]:
    """What each channel of a volume takes, ideally: float64 [K]."""
    counts = np.zeros((1, 1, 2), np.int64)
    return _scan(PRICE, stored, tables.models_of(stored), tables.fixed_of(stored), volume, counts)


def _scan(
    mode: int,
    stored: Stored,
    models: Models,
    fixed: Fixed,
    symbols: Symbols,
    counts: NDArray[np.int64],
) -> NDArray[np.float64]:
    volume = empty(*symbols.shape)
    inside(volume)[:] = symbols
    price, nothing = np.zeros(len(symbols)), np.zeros(1, np.int64)
    last, at = stored.centres.size - 1, starts(len(symbols))
    data = np.zeros(1, np.uint8)
    scan(mode, stored.zero, last, at, models, fixed, volume, data, nothing, nothing, price, counts)
    return price


def _with_counts(stored: Stored, counts: NDArray[np.int64]) -> Stored:
    """Probabilities of 1 out of [questions, contexts, 2]; a rare context borrows from its model."""
    ends = starts(stored.missing.size)
    likely = np.empty(counts.shape[:2])
    for first, last in pairwise(ends):
        near = counts[:, first:last].astype(np.float64)
        pooled = near.sum(1, keepdims=True) + 0.5
        share = pooled[..., 1] / pooled.sum(-1)
        likely[:, first:last] = (near[..., 1] + 0.5 * share) / (near.sum(-1) + 0.5)
    logit = np.log(likely / (1 - likely)) * 256 / LOGIT_STEP
    seen = counts.sum(-1)
    trust = np.searchsorted(SEEN, np.minimum(seen // 4, SEEN[-1]), side="right") - 1
    return replace(
        stored,
        logits=np.clip(np.rint(logit) + 128, 1, 255).astype(np.uint8),
        seen=trust.astype(np.uint8),
    )
