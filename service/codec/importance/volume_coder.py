"""The scan of a volume of symbols [K, h, w]: channel after channel, row after row, left to right.

    0            is it another symbol than that of zero?
    1            is it below that?
    2, 3 ..      is it further away than 1, 2 ..? Not asked where the side has no more symbols

Each answer mixes ``MODELS`` predictions of what it depends on: neighbours in the channel, the
channels before at the place and beside it, how long the place has been zero (which is what an
importance map looks like), which channel it is. Probabilities and weights go on learning. Integers
alone. Source of the scan: Mentzer et al. 2018, section 3.4; of the mixing: Mahoney 2005.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.entropy.range_coder import (
    PRECISION,
    TOTAL,
    UNDECIDED,
    Bytes,
    begin,
    extended,
    finish,
    full,
    get_bit,
    put,
    refilled,
)

WRITE, READ, PRICE, LEARN = 0, 1, 2, 3
SYMBOLS = 8
"""Most centres that there may be."""
MODELS = 7
BEFORE, ABOVE, BELOW, ASIDE = 4, 2, 1, 2
"""Borders of a volume: zeros before the first channel, around its rows and columns."""
STRETCH_LIMIT = 2815
LEAST_SHARE = 24
"""Of 65536: what a mixed prediction leaves to either answer."""
PROBABILITY_BITS = 22
CLASSES = 16
_RATE_SHIFT, _LEARNING_SHIFT = 16, 17
_STRETCHED = PROBABILITY_BITS + 8 - 12

Ints = NDArray[np.int32]
Small = NDArray[np.int8]


class Models(NamedTuple):
    """What adapts while a photo is coded; a copy of the tables at its start.

    ``likely`` int32 [questions, contexts]: ``p << 8 | n``, p in 2**-22, n symbols that it has seen.
    ``weights`` int32 [questions, K, MODELS] in 2**-16.
    """

    likely: Ints
    weights: Ints


class Fixed(NamedTuple):
    """Tables that never change: logistic scale, rates of adaptation.

    ``stretch`` int16 [4096]: of p >> 10. ``squash`` int32: of (x + STRETCH_LIMIT), 16 bits.
    ``rates`` int32 [256]: of n, which ends at ``most``.
    """

    stretch: NDArray[np.int16]
    squash: Ints
    rates: Ints
    most: int


def starts(channels: int) -> tuple[int, ...]:
    """Where the contexts of each prediction begin, and how many there are in all."""
    six = SYMBOLS
    sizes = (
        channels * six * six,
        six**4,
        channels * six * six,
        six * six * 3**4,
        six**4,
        channels * CLASSES * 5,
        8 * 4 * 16,
    )
    return tuple(int(n) for n in np.cumsum((0, *sizes)))


def questions(zero: int, last: int) -> int:
    """How many there are, of symbols 0..last of which ``zero`` is that of zero."""
    return 1 + max(zero, last - zero)


def empty(channels: int, rows: int, columns: int) -> Small:
    """A volume of zeros with its borders, int8; symbols are counted from that of zero."""
    return np.zeros((channels + BEFORE, rows + ABOVE + BELOW, columns + 2 * ASIDE), np.int8)


def inside(volume: Small) -> Small:
    """The volume without its borders: [K, h, w], a view."""
    return volume[BEFORE:, ABOVE:-BELOW, ASIDE:-ASIDE]


@compiled
def scan(
    mode: int,
    zero: int,
    last: int,
    at: tuple[int, ...],
    models: Models,
    fixed: Fixed,
    volume: Small,
    data: Bytes,
    cuts: NDArray[np.int64],
    decided: NDArray[np.int64],
    price: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> int:
    """Code ``volume``: the bytes that WRITE wrote, 0 for the other modes.

    READ fills it in, and ``decided`` with the symbols that each prefix of ``data`` decides;
    ``cuts`` are their lengths, ascending. ``price`` float64 [K]: bits. ``counts`` int64 [questions,
    contexts, 2]: only LEARN adds to it.
    """
    likely, weights = models.likely, models.weights
    stretch, squash, rates, most = fixed.stretch, fixed.squash, fixed.rates, fixed.most
    channels, rows = volume.shape[0] - BEFORE, volume.shape[1] - ABOVE - BELOW
    columns = volume.shape[2] - 2 * ASIDE
    asked = likely.shape[0]
    encoder, decoder = (0, 1 << 32, 0), (0, 0, 1 << 32, 0)
    number, limit, done = 0, 0, 0
    if mode == READ:
        limit = int(cuts[0])
        decoder = begin(decoder, data, limit)
    runs = np.full((rows + 1, columns + 1), 7, np.int64)
    pick = np.zeros(MODELS, np.int64)
    heard = np.zeros(MODELS, np.int64)
    for k in range(channels):
        own, one, two = volume[k + BEFORE], volume[k + BEFORE - 1], volume[k + BEFORE - 2]
        three, four = volume[k + BEFORE - 3], volume[k + BEFORE - 4]
        for y in range(ABOVE, ABOVE + rows):
            for x in range(ASIDE, ASIDE + columns):
                west, north = int(own[y, x - 1]), int(own[y - 1, x])
                north_west, north_east = int(own[y - 1, x - 1]), int(own[y - 1, x + 1])
                here, deeper = int(one[y, x]), int(two[y, x])
                e, s = int(one[y, x + 1]), int(one[y + 1, x])
                w, n = int(one[y, x - 1]), int(one[y - 1, x])
                run = runs[y - ABOVE, x - ASIDE]
                pair = (west + zero) * SYMBOLS + north + zero
                past = (here + zero) * SYMBOLS + deeper + zero
                pick[0] = at[0] + k * SYMBOLS * SYMBOLS + pair
                pick[1] = at[1] + (pair * SYMBOLS + north_west + zero) * SYMBOLS + north_east + zero
                pick[2] = at[2] + k * SYMBOLS * SYMBOLS + past
                around = ((_sign(e) * 3 + _sign(s)) * 3 + _sign(w)) * 3 + _sign(n)
                pick[3] = at[3] + past * 81 + around
                pick[4] = at[4] + pair * SYMBOLS * SYMBOLS + past
                activity = (
                    2 * (abs(west) + abs(north) + abs(here) + abs(deeper))
                    + abs(north_west)
                    + abs(north_east)
                    + abs(int(own[y, x - 2]))
                    + abs(int(own[y - 2, x]))
                    + abs(e)
                    + abs(s)
                    + abs(w)
                    + abs(n)
                )
                level = activity if activity < 8 else min(6 + activity // 4, CLASSES - 1)
                used = (here != 0) + (deeper != 0) + (three[y, x] != 0) + (four[y, x] != 0)
                pick[5] = at[5] + (k * CLASSES + level) * 5 + used
                beside = min(runs[y - ABOVE, x - ASIDE + 1], 3) * 4
                beside += min(runs[y - ABOVE + 1, x - ASIDE], 3)
                pick[6] = at[6] + (run * 4 + 2 * (west != 0) + (north != 0)) * 16 + beside
                target = int(own[y, x])
                stage, distance, side, bit = 0, 0, 0, 0
                while True:
                    question = min(stage, asked - 1)
                    dot = 0
                    for m in range(MODELS):
                        heard[m] = stretch[likely[question, pick[m]] >> _STRETCHED]
                        dot += int(weights[question, k, m]) * heard[m]
                    dot = min(max((dot + 32768) >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)
                    share = int(squash[dot + STRETCH_LIMIT])
                    share = min(max(share, LEAST_SHARE), TOTAL - LEAST_SHARE)
                    if mode == READ:
                        found, decoder = get_bit(decoder, share)
                        if found == UNDECIDED:
                            decided[number] = done
                            number += 1
                            if number == len(cuts):
                                return 0
                            decoder = extended(decoder, data, limit, int(cuts[number]))
                            limit = int(cuts[number])
                            continue
                        bit = 1 - found
                        decoder = refilled(decoder, data, limit)
                    else:
                        if stage == 0:
                            bit = 1 if target != 0 else 0
                        elif stage == 1:
                            bit = 1 if target < 0 else 0
                        else:
                            bit = 1 if abs(target) > distance else 0
                        if mode == WRITE:
                            if full(encoder, data):
                                return finish(encoder, data)
                            if bit:
                                encoder = put(encoder, data, 0, share)
                            else:
                                encoder = put(encoder, data, share, TOTAL - share)
                        else:
                            price[k] -= math.log2((share if bit else TOTAL - share) / TOTAL)
                            if mode == LEARN:
                                for m in range(MODELS):
                                    counts[question, pick[m], bit] += 1
                    error = (bit << PRECISION) - share
                    for m in range(MODELS):
                        weights[question, k, m] += (
                            heard[m] * error + (1 << (_LEARNING_SHIFT - 1))
                        ) >> _LEARNING_SHIFT
                        packed = int(likely[question, pick[m]])
                        seen = packed & 255
                        p = packed >> 8
                        p += (((bit << PROBABILITY_BITS) - p) * int(rates[seen])) >> _RATE_SHIFT
                        likely[question, pick[m]] = p << 8 | (seen + 1 if seen < most else seen)
                    if stage == 0:
                        if bit == 0:
                            break
                    elif stage == 1:
                        side, distance = (-1, 1) if bit else (1, 1)
                    else:
                        if bit == 0:
                            break
                        distance += 1
                    stage += 1
                    if stage > 1 and distance == (zero if side < 0 else last - zero):
                        break
                if mode == READ:
                    own[y, x] = side * distance
                    done += 1
                runs[y - ABOVE, x - ASIDE] = 0 if own[y, x] != 0 else min(run + 1, 7)
    if mode == READ:
        decided[number:] = done
    return finish(encoder, data) if mode == WRITE else 0


@compiled
def _sign(value: int) -> int:
    """0, 1 below, 2 above."""
    return 0 if value == 0 else 1 if value < 0 else 2
