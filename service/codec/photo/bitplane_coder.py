"""The scan of the codec `photo`: pass after pass, block after block, symbol after symbol.

    pass         (channel, band, plane, kind), in the static order of the stream
    kind 0       significance: which coefficients that are zero so far reach this plane, with sign
    kind 1       refinement: the bit at this plane of those that were found at planes above
    empty        before kind 0, while nothing of the band was found: does this pass find anything?
    block        8x8 coefficients; while nothing of it was found: does this pass find anything?
    resumed      the place is in ``state``; with more bytes or room, it goes on where it stopped
    wide         streams with networks look further: more contexts, signs mixed too. Which rules
                 hold is seen from the shapes of ``Models``

One function writes, reads and prices, so the rules stand once (FORMAT.md, "Photo codec"); it is
long because an array handed to another compiled function costs more than a symbol. Integers
alone: which symbol the next bits mean depends on tables and on what was decided, on nothing else.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled, index, inlined
from service.codec.entropy.range_coder import (
    MARGIN,
    PRECISION,
    TOTAL,
    UNDECIDED,
    Bytes,
    Decoder,
    Encoder,
    begin,
    extended,
    finish,
    get_bit,
    put,
    refilled,
)
from service.codec.photo.order import BLOCK, BORDER, REFINEMENT, SIGNIFICANCE, Grid

WRITE, READ, PRICE, LEARN = 0, 1, 2, 3
MODELS = 5
"""Predictions that are mixed for a significance symbol."""
SIZES = (169, 121, 121, 116, 243)
"""Contexts of each of them, in a group."""
CONTEXTS = sum(SIZES)
WIDE_SIZES = (*SIZES, 320, 320, 232)
"""The same of a stream with networks, which mixes a constant too."""
WIDE = len(WIDE_SIZES)
WIDE_CONTEXTS = sum(WIDE_SIZES)
_AT = (0, 169, 290, 411, 527, 770, 1090, 1410)
FLAGS = 120
"""Contexts of a block's flag, in a group."""
FINE = 39
"""Contexts of a refinement, in a group: first, second, later; 13 classes of the neighbours."""
SIGNS = 41
WIDE_SIGN_SIZES = (41, 122, 41, 41, 122)
"""The same of a stream with networks, whose sign is mixed of five predictions, and of signs."""
WIDE_SIGNS = sum(WIDE_SIGN_SIZES)
_SIGNS_AT = (0, 41, 163, 204, 245)
NEAR_SIGNS = 17
SIGN_INPUTS = len(WIDE_SIGN_SIZES) + NEAR_SIGNS
NOWHERE = 0
"""A place in the border, of which nothing is ever known."""
ONE = 256
"""What a constant, or a sign, says in the mixture."""
SETS = 4
"""Weights a group: by how much is known nearby."""
STRETCH_LIMIT = 2815
LEAST_SHARE = 24
"""Of 65536: what a mixed prediction leaves to either symbol."""
LEAST_HALF = 1024
"""The same for signs and refinements."""
STOP = -1
"""In place of a symbol: the prefix does not decide it, or it is not to be written yet."""
PROBABILITY_BITS = 22
_RATE_SHIFT = 16
_LEARNING_SHIFT = 17

Ints = NDArray[np.int32]
Small = NDArray[np.int8]
Longs = NDArray[np.int64]

# places in ``state``
_LOW, _HIGH, _WIDTH, _TAKEN, _PASS, _STAGE, _BLOCK, _CELL, _LIMIT, _SYMBOLS = range(10)
STATE = 10


class Models(NamedTuple):
    """What adapts while a photo is coded; a copy of the tables at its start.

    Probabilities are ``p << 8 | n``: p in 2**-22, n the symbols that it has seen.
    ``mixed`` int32 [G, CONTEXTS]; ``weights`` int32 [G, SETS, MODELS] in 2**-16; ``flags`` int32
    [G, FLAGS]; ``empty`` int32 [G]; ``signs`` int32 [G, SIGNS]; ``fine`` int32 [G, FINE];
    ``sign_weights`` int32 [G, 0]. Of streams with networks WIDE_CONTEXTS, one weight more than
    WIDE_SIZES, WIDE_SIGNS, SIGN_INPUTS.
    """

    mixed: Ints
    weights: Ints
    flags: Ints
    empty: Ints
    signs: Ints
    fine: Ints
    sign_weights: Ints


class Fixed(NamedTuple):
    """Tables that never change: logistic scale, rates of adaptation, classes of sums.

    ``stretch`` int16 [4096]: of p >> 10. ``squash`` int32: of (x + STRETCH_LIMIT), 16 bits.
    ``rates`` int32 [256]: of n, which ends at ``most``. ``coarse``, ``smooth`` int8 [4096]: class
    of a sum.
    """

    stretch: NDArray[np.int16]
    squash: Ints
    rates: Ints
    coarse: Small
    smooth: Small
    most: int


@inlined
def _share(packed: int, least: int) -> int:
    """Of 65536, a probability ``p << 8 | n``; nothing is certain."""
    return min(max(int(packed) >> (PROBABILITY_BITS + 8 - PRECISION), least), TOTAL - least)


@inlined
def _bits(share: int, bit: int) -> float:
    """What a symbol costs, ideally."""
    return -math.log2((share if bit else TOTAL - share) / TOTAL)


@inlined
def _coded(
    mode: int, encoder: Encoder, decoder: Decoder, data: Bytes, limit: int, share: int, bit: int
) -> tuple[int, Encoder, Decoder]:
    """One symbol, 1 having the first ``share`` of 65536; STOP where bytes or room end."""
    if mode == READ:
        found, decoder = get_bit(decoder, share)
        if found == UNDECIDED:
            bit = STOP
        else:
            bit = 1 - found
            decoder = refilled(decoder, data, limit)
    elif mode == WRITE:
        if encoder[2] >= limit - 1:
            bit = STOP
        elif bit:
            encoder = put(encoder, data, 0, share)
        else:
            encoder = put(encoder, data, share, TOTAL - share)
    return bit, encoder, decoder


# loops of a length that the compiler knows


@inlined
def _listen(
    mixed: Ints, stretch: NDArray[np.int16], group: int, pick: Longs, heard: Longs, count: int
) -> None:
    """What each prediction says."""
    for k in range(count):
        heard[index(k)] = stretch[
            index(mixed[group, index(pick[index(k)])] >> (PROBABILITY_BITS + 8 - 12))
        ]


@inlined
def _dot(weights: Ints, group: int, chosen: int, heard: Longs, count: int) -> int:
    """Their mixture."""
    dot = 0
    for k in range(count):
        dot += int(weights[group, chosen, index(k)]) * heard[index(k)]
    return dot


@inlined
def _learn(weights: Ints, group: int, chosen: int, heard: Longs, error: int, count: int) -> None:
    """Weights after one more symbol."""
    for k in range(count):
        weights[group, chosen, index(k)] += (
            heard[index(k)] * error + (1 << (_LEARNING_SHIFT - 1))
        ) >> _LEARNING_SHIFT


@inlined
def _adapt(
    mixed: Ints, group: int, pick: Longs, bit: int, rates: Ints, most: int, count: int
) -> None:
    """Predictions after one more symbol."""
    for k in range(count):
        packed = int(mixed[group, index(pick[index(k)])])
        seen = packed & 255
        p = packed >> 8
        p += (((bit << PROBABILITY_BITS) - p) * int(rates[index(seen)])) >> _RATE_SHIFT
        mixed[group, index(pick[index(k)])] = p << 8 | (seen + 1 if seen < most else seen)


@inlined
def _face(known: Ints, negative: Small, where: Longs, facing: Longs, count: int) -> None:
    """1, -1, or 0 where nothing was found."""
    for k in range(count):
        j = index(where[index(k)])
        facing[index(k)] = (1 - 2 * int(negative[j])) if known[j] else 0


@compiled
def _any(
    values: Ints, base: int, stride: int, top: int, left: int, height: int, width: int, plane: int
) -> int:
    """Whether a magnitude of a block reaches a plane: 1 or 0."""
    for y in range(top, min(top + BLOCK, height)):
        for x in range(left, min(left + BLOCK, width)):
            if abs(values[base + (y + BORDER) * stride + x + BORDER]) >> plane:
                return 1
    return 0


@compiled
def scan(
    mode: int,
    grid: Grid,
    models: Models,
    fixed: Fixed,
    values: Ints,
    known: Ints,
    negative: Small,
    active: Small,
    state: Longs,
    data: Bytes,
    limit: int,
    price: NDArray[np.float64],
    counts: Longs,
) -> int:
    """Code the passes of ``grid``; the bytes written once there are no more to be, -1 before; or
    the symbols decided so far.

    ``values`` int32 [3 K]: what is written (``mode`` WRITE, PRICE, LEARN), signed. ``known`` int32
    [3 K]: twice the middle of what is known of a magnitude, 0 for zero so far. ``data``: read up to
    ``limit``, or written to until one byte less is there; past ``len(data) - MARGIN + 1``, until
    there is no room. ``price`` [passes, 2]: bits of symbols, number of symbols.
    ``counts`` int64 [G, mixed + flags + 1 + signs + fine, 2]: only LEARN adds to it.
    """
    bands, blocks, passes, groups = grid.bands, grid.blocks, grid.passes, grid.groups
    mixed, weights = models.mixed, models.weights
    stretch, squash, rates = fixed.stretch, fixed.squash, fixed.rates
    coarse, smooth, most = fixed.coarse, fixed.smooth, fixed.most
    plane_size, active_size = grid.coefficients, grid.flags
    reading, pricing = mode == READ, mode >= PRICE
    encoder = (state[_LOW], state[_WIDTH], state[_TAKEN])
    decoder = (state[_LOW], state[_HIGH], state[_WIDTH], state[_TAKEN])
    first_pass, stage, first_block, first_cell = (
        state[_PASS],
        state[_STAGE],
        state[_BLOCK],
        state[_CELL],
    )
    decided = state[_SYMBOLS]
    if reading:
        if state[_TAKEN] == 0:
            decoder = begin(decoder, data, limit)
        else:
            decoder = extended(decoder, data, state[_LIMIT], limit)
    is_wide = models.sign_weights.shape[1] > 0
    count = len(WIDE_SIZES) if is_wide else MODELS
    pick = np.zeros(len(WIDE_SIZES), np.int64)
    heard = np.zeros(len(WIDE_SIZES) + 1, np.int64)
    heard[index(count)] = ONE
    turn = np.zeros(len(WIDE_SIGN_SIZES), np.int64)
    said = np.zeros(SIGN_INPUTS, np.int64)
    where = np.zeros(NEAR_SIGNS + 3, np.int64)
    facing = np.zeros(NEAR_SIGNS + 3, np.int64)
    contexts = mixed.shape[1]
    signs_at = contexts + FLAGS + 1
    fine_at = signs_at + models.signs.shape[1]
    signs, sign_weights = models.signs, models.sign_weights
    sign_count = len(WIDE_SIGN_SIZES) if is_wide else 1
    bit = 0
    for number in range(first_pass, len(passes)):
        channel, band, plane, kind = (
            int(passes[number, 0]),
            int(passes[number, 1]),
            int(passes[number, 2]),
            int(passes[number, 3]),
        )
        group = int(groups[number])
        orient = int(bands[band, 1])
        stride, height, width = int(bands[band, 3]), int(bands[band, 4]), int(bands[band, 5])
        base = channel * plane_size + int(bands[band, 2])
        parent = int(bands[band, 6])
        parent_stride = int(bands[parent, 3]) if parent >= 0 else 0
        parent_base = channel * plane_size + int(bands[parent, 2]) if parent >= 0 else 0
        active_stride = int(bands[band, 10])
        active_base = channel * active_size + int(bands[band, 9])
        # of the two other channels
        one_other = plane_size if channel == 0 else -channel * plane_size
        two_other = (2 - channel) * plane_size if channel != 2 else -plane_size
        one_active = active_size if channel == 0 else -channel * active_size
        two_active = (2 - channel) * active_size if channel != 2 else -active_size
        across = 1 if orient != 2 else stride
        down = stride if orient != 2 else 1
        # of the two other orientations of the level
        one_band = band + (1 if orient == 1 else -1 if orient == 2 else -2)
        two_band = band + (2 if orient == 1 else 1 if orient == 2 else -1)
        one_stride, one_base, two_stride, two_base = 0, 0, 0, 0
        if orient > 0:
            one_stride, two_stride = int(bands[one_band, 3]), int(bands[two_band, 3])
            one_base = channel * plane_size + int(bands[one_band, 2])
            two_base = channel * plane_size + int(bands[two_band, 2])
        low_block, high_block = int(bands[band, 7]), int(bands[band, 8])
        if first_block < low_block:
            first_block = low_block
        found_any = active_base - 1  # whether anything of the band was found
        if kind == REFINEMENT and active[index(found_any)] == 0:
            first_block, first_cell, stage = 0, 0, 0
            continue
        if stage == 0 and kind == SIGNIFICANCE and active[index(found_any)] == 0:
            bit = 0
            if not reading:
                for block in range(low_block, high_block):
                    top, left = int(blocks[block, 0]), int(blocks[block, 1])
                    if _any(values, base, stride, top, left, height, width, plane):
                        bit = 1
                        break
            share = _share(models.empty[group], 1)
            bit, encoder, decoder = _coded(mode, encoder, decoder, data, limit, share, bit)
            if bit == STOP:
                break
            decided += 1
            if pricing:
                price[number, 0] += _bits(share, bit)
                price[number, 1] += 1
                if mode == LEARN:
                    counts[group, contexts + FLAGS, bit] += 1
            models.empty[group] = _adapted(models.empty[group], bit, rates, most)
            if bit == 0:
                first_block, first_cell, stage = 0, 0, 0
                continue
            active[index(found_any)] = 1
        stopped = False
        for block in range(first_block, high_block):
            top, left = int(blocks[block, 0]), int(blocks[block, 1])
            at = active_base + (top // BLOCK + 1) * active_stride + left // BLOCK + 1
            if stage < 2 and active[index(at)] == 0:
                if kind == REFINEMENT:
                    first_cell, stage = 0, 0
                    continue
                nearby = (
                    int(active[index(at - 1)])
                    + int(active[index(at + 1)])
                    + int(active[index(at - active_stride)])
                    + int(active[index(at + active_stride)])
                )
                if nearby < 4:
                    corner = (
                        int(active[index(at - active_stride - 1)])
                        + int(active[index(at - active_stride + 1)])
                        + int(active[index(at + active_stride - 1)])
                        + int(active[index(at + active_stride + 1)])
                    )
                    nearby = min(4, nearby + (1 if corner > 1 else 0))
                total = 0
                if parent > 0:
                    start = parent_base + (top // 2 + BORDER) * parent_stride + left // 2 + BORDER
                    deep = min(BLOCK // 2, int(bands[parent, 4]) - top // 2)
                    wide = min(BLOCK // 2, int(bands[parent, 5]) - left // 2)
                    for y in range(deep):
                        for x in range(wide):
                            total += known[index(start + y * parent_stride + x)]
                others = int(active[index(at + one_active)]) + int(active[index(at + two_active)])
                size = min(int(coarse[index(min(total >> plane, 4095))]), 7)
                context = (nearby * 8 + size) * 3 + others
                share = _share(models.flags[group, context], 1)
                bit = 0
                if not reading:
                    bit = _any(values, base, stride, top, left, height, width, plane)
                bit, encoder, decoder = _coded(mode, encoder, decoder, data, limit, share, bit)
                if bit == STOP:
                    stage, stopped = 1, True
                    first_block, first_cell = block, 0
                    break
                decided += 1
                if pricing:
                    price[number, 0] += _bits(share, bit)
                    price[number, 1] += 1
                    if mode == LEARN:
                        counts[group, contexts + context, bit] += 1
                models.flags[group, context] = _adapted(
                    models.flags[group, context], bit, rates, most
                )
                if bit == 0:
                    first_cell, stage = 0, 0
                    continue
                active[index(at)] = 1
            bottom, right = min(top + BLOCK, height), min(left + BLOCK, width)
            columns = right - left
            cells = (bottom - top) * columns
            y, next_x = top + first_cell // columns, left + first_cell % columns
            for cell in range(first_cell, cells):
                if next_x == right:
                    y, next_x = y + 1, left
                x, next_x = next_x, next_x + 1
                i = base + (y + BORDER) * stride + x + BORDER
                was = int(known[index(i)])
                if was == 0 and kind == SIGNIFICANCE:
                    if stage < 3:
                        h = known[index(i - across)] + known[index(i + across)]
                        v = known[index(i - down)] + known[index(i + down)]
                        d = (
                            known[index(i - stride - 1)]
                            + known[index(i - stride + 1)]
                            + known[index(i + stride - 1)]
                            + known[index(i + stride + 1)]
                        )
                        far = (
                            known[index(i - 2)]
                            + known[index(i + 2)]
                            + known[index(i - 2 * stride)]
                            + known[index(i + 2 * stride)]
                        )
                        above, around = 0, 0
                        if parent > 0:
                            j = (
                                parent_base
                                + ((y >> 1) + BORDER) * parent_stride
                                + (x >> 1)
                                + BORDER
                            )
                            above = known[index(j)]
                            around = (
                                known[index(j - 1)]
                                + known[index(j + 1)]
                                + known[index(j - parent_stride)]
                                + known[index(j + parent_stride)]
                            )
                        other = known[index(i + one_other)] + known[index(i + two_other)]
                        near = 5 * (h + v) + 3 * d
                        remote = 4 * above + 6 * other
                        near_class = int(coarse[index(min(near >> plane, 4095))])
                        pick[0] = near_class * 13 + int(coarse[index(min(remote >> plane, 4095))])
                        pick[1] = (
                            _AT[1]
                            + min(int(coarse[index(min((5 * h) >> plane, 4095))]), 10) * 11
                            + min(int(coarse[index(min((5 * v) >> plane, 4095))]), 10)
                        )
                        pick[2] = (
                            _AT[2]
                            + min(int(coarse[index(min((4 * above) >> plane, 4095))]), 10) * 11
                            + min(
                                int(coarse[index(min((3 * around + 6 * far) >> plane, 4095))]), 10
                            )
                        )
                        everything = near + remote + far + around
                        pick[3] = (
                            _AT[3]
                            + int(smooth[index(min(everything >> plane, 4095))]) * 4
                            + min(int(coarse[index(min((4 * d) >> plane, 4095))]) >> 1, 3)
                        )
                        w = min(known[index(i - across)] >> (plane + 1), 2)
                        e = min(known[index(i + across)] >> (plane + 1), 2)
                        n = min(known[index(i - down)] >> (plane + 1), 2)
                        s = min(known[index(i + down)] >> (plane + 1), 2)
                        c = min((d >> (plane + 1)) + (1 if other >> (plane + 1) else 0), 2)
                        pick[4] = _AT[4] + (((w * 3 + e) * 3 + n) * 3 + s) * 3 + c
                        if is_wide:
                            one, two = i + one_other, i + two_other
                            one_ring = (
                                known[index(one - 1)]
                                + known[index(one + 1)]
                                + known[index(one - stride)]
                                + known[index(one + stride)]
                            )
                            two_ring = (
                                known[index(two - 1)]
                                + known[index(two + 1)]
                                + known[index(two - stride)]
                                + known[index(two + stride)]
                            )
                            first_side, second_side = 0, 0
                            if orient > 0:
                                j = one_base + (y + BORDER) * one_stride + x + BORDER
                                first_side = (
                                    4 * known[index(j)]
                                    + known[index(j - 1)]
                                    + known[index(j + 1)]
                                    + known[index(j - one_stride)]
                                    + known[index(j + one_stride)]
                                )
                                j = two_base + (y + BORDER) * two_stride + x + BORDER
                                second_side = (
                                    4 * known[index(j)]
                                    + known[index(j - 1)]
                                    + known[index(j + 1)]
                                    + known[index(j - two_stride)]
                                    + known[index(j + two_stride)]
                                )
                            sides = first_side + second_side
                            fifth = min(near_class >> 1, 4)
                            pick[5] = (
                                _AT[5]
                                + (
                                    min(
                                        int(
                                            coarse[
                                                index(
                                                    min(
                                                        4 * known[index(one)] + one_ring >> plane,
                                                        4095,
                                                    )
                                                )
                                            ]
                                        ),
                                        7,
                                    )
                                    * 8
                                    + min(
                                        int(
                                            coarse[
                                                index(
                                                    min(
                                                        4 * known[index(two)] + two_ring >> plane,
                                                        4095,
                                                    )
                                                )
                                            ]
                                        ),
                                        7,
                                    )
                                )
                                * 5
                                + fifth
                            )
                            pick[6] = (
                                _AT[6]
                                + (
                                    min(int(coarse[index(min(first_side >> plane, 4095))]), 7) * 8
                                    + min(int(coarse[index(min(second_side >> plane, 4095))]), 7)
                                )
                                * 5
                                + fifth
                            )
                            everything += (sides >> 1) + one_ring + two_ring
                            pick[7] = (
                                _AT[7]
                                + int(smooth[index(min(everything >> plane, 4095))]) * 8
                                + min(int(coarse[index(min(sides >> plane, 4095))]), 7)
                            )
                        chosen = min(near_class, SETS - 1)
                        if is_wide:
                            _listen(mixed, stretch, group, pick, heard, WIDE)
                            dot = _dot(weights, group, chosen, heard, WIDE + 1)
                        else:
                            _listen(mixed, stretch, group, pick, heard, MODELS)
                            dot = _dot(weights, group, chosen, heard, MODELS)
                        dot = min(max((dot + 32768) >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)
                        share = int(squash[index(dot + STRETCH_LIMIT)])
                        share = min(max(share, LEAST_SHARE), TOTAL - LEAST_SHARE)
                        bit = 0 if reading else 1 if abs(values[index(i)]) >> plane else 0
                        bit, encoder, decoder = _coded(
                            mode, encoder, decoder, data, limit, share, bit
                        )
                        if bit == STOP:
                            stage, stopped = 2, True
                            first_block, first_cell = block, cell
                            break
                        decided += 1
                        if pricing:
                            price[number, 0] += _bits(share, bit)
                            price[number, 1] += 1
                            if mode == LEARN:
                                for k in range(count):
                                    counts[group, pick[index(k)], bit] += 1
                        error = (bit << 16) - share
                        if is_wide:
                            _learn(weights, group, chosen, heard, error, WIDE + 1)
                            _adapt(mixed, group, pick, bit, rates, most, WIDE)
                        else:
                            _learn(weights, group, chosen, heard, error, MODELS)
                            _adapt(mixed, group, pick, bit, rates, most, MODELS)
                        if bit == 0:
                            continue
                    # the sign
                    where[0], where[1] = i - across, i + across
                    where[2], where[3] = i - down, i + down
                    where[4], where[5] = i + one_other, i + two_other
                    if is_wide:
                        where[6], where[7] = i - down - across, i - down + across
                        where[8], where[9] = i + down - across, i + down + across
                        where[10], where[11] = i - 2 * across, i + 2 * across
                        where[12], where[13] = i - 2 * down, i + 2 * down
                        for k in range(14, NEAR_SIGNS + 3):
                            where[index(k)] = NOWHERE
                        if parent > 0:
                            line = parent_stride
                            j = parent_base + ((y >> 1) + BORDER) * line + (x >> 1) + BORDER
                            step = (2 * (x & 1) - 1) if orient != 2 else (2 * (y & 1) - 1) * line
                            where[14], where[15], where[19] = j, j + step, j - step
                        if orient > 0:
                            where[16] = one_base + (y + BORDER) * one_stride + x + BORDER
                            j = two_base + (y + BORDER) * two_stride + x + BORDER
                            where[17] = j
                            where[18] = j - (two_stride if orient != 2 else 1)
                        _face(known, negative, where, facing, NEAR_SIGNS + 3)
                    else:
                        _face(known, negative, where, facing, 6)
                    w, e, n, s = facing[0], facing[1], facing[2], facing[3]
                    flat, steep = min(max(w + e, -1), 1), min(max(n + s, -1), 1)
                    pick[0] = ((flat * 3 + steep) * 3 + facing[4]) * 3 + facing[5]
                    if is_wide:
                        far = min(max(facing[12] + facing[13], -1), 1)
                        pick[1] = (((w * 3 + e) * 3 + n) * 3 + s) * 3 + far
                        aside = min(max(facing[15] + facing[19], -1), 1)
                        far = min(max(facing[10] + facing[11], -1), 1)
                        pick[2] = ((flat * 3 + facing[14]) * 3 + aside) * 3 + far
                        both = min(max(w + e - n - s, -1), 1)
                        pick[3] = ((both * 3 + facing[16]) * 3 + facing[17]) * 3 + facing[18]
                        pick[4] = ((facing[6] * 3 + facing[7]) * 3 + facing[8]) * 3 + facing[9]
                        pick[4] = pick[4] * 3 + steep
                        for k in range(NEAR_SIGNS):
                            said[index(len(WIDE_SIGN_SIZES) + k)] = (
                                ONE * facing[index(k if k < 4 else k + 2)]
                            )
                    for k in range(sign_count):
                        turn[index(k)] = 1 if pick[index(k)] < 0 else 0
                        pick[index(k)] = _SIGNS_AT[k] + abs(pick[index(k)])
                    turned = turn[0]
                    share = _share(signs[group, pick[0]], LEAST_HALF)
                    if is_wide:
                        turned = 0
                        dot = 0
                        for k in range(len(WIDE_SIGN_SIZES)):
                            said[index(k)] = stretch[
                                index(signs[group, pick[index(k)]] >> (PROBABILITY_BITS + 8 - 12))
                            ]
                            if turn[index(k)]:
                                said[index(k)] = -said[index(k)]
                        for k in range(SIGN_INPUTS):
                            dot += int(sign_weights[group, k]) * said[index(k)]
                        dot = min(max((dot + 32768) >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)
                        share = int(squash[index(dot + STRETCH_LIMIT)])
                        share = min(max(share, LEAST_HALF), TOTAL - LEAST_HALF)
                    bit = 0
                    if not reading:
                        bit = (1 if values[index(i)] < 0 else 0) ^ turned
                    bit, encoder, decoder = _coded(mode, encoder, decoder, data, limit, share, bit)
                    if bit == STOP:
                        stage, stopped = 3, True
                        first_block, first_cell = block, cell
                        break
                    decided += 1
                    negative[index(i)] = bit ^ turned
                    if pricing:
                        price[number, 0] += _bits(share, bit)
                        price[number, 1] += 1
                    if is_wide:
                        error = (bit << 16) - share
                        for k in range(SIGN_INPUTS):
                            sign_weights[group, k] += (
                                said[index(k)] * error + (1 << (_LEARNING_SHIFT - 1))
                            ) >> _LEARNING_SHIFT
                    for k in range(sign_count):
                        bit = negative[index(i)] ^ turn[index(k)]
                        if mode == LEARN:
                            counts[group, signs_at + pick[index(k)], bit] += 1
                        signs[group, pick[index(k)]] = _adapted(
                            signs[group, pick[index(k)]], bit, rates, most
                        )
                    known[index(i)] = 3 << plane
                    stage = 2
                elif was != 0 and kind == REFINEMENT and was & ((1 << (plane + 1)) - 1) == 0:
                    near = (
                        known[index(i - 1)]
                        + known[index(i + 1)]
                        + known[index(i - stride)]
                        + known[index(i + stride)]
                    ) >> plane
                    older = min(was >> (plane + 3), 1) + min(was >> (plane + 4), 1)
                    context = older * 13 + int(coarse[index(min(near, 4095))])
                    packed = int(models.fine[group, context])
                    share = _share(packed, LEAST_HALF)
                    bit = 0 if reading else int(abs(values[index(i)])) >> plane & 1
                    bit, encoder, decoder = _coded(mode, encoder, decoder, data, limit, share, bit)
                    if bit == STOP:
                        stage, stopped = 2, True
                        first_block, first_cell = block, cell
                        break
                    decided += 1
                    if pricing:
                        price[number, 0] += _bits(share, bit)
                        price[number, 1] += 1
                        if mode == LEARN:
                            counts[group, fine_at + context, bit] += 1
                    models.fine[group, context] = _adapted(packed, bit, rates, most)
                    known[index(i)] = was + (2 * bit - 1 << plane)
            if stopped:
                break
            first_cell, stage = 0, 0
        if stopped:
            first_pass = number
            break
        first_block, first_cell, stage = 0, 0, 0
    else:
        number = len(passes)
    state[_PASS], state[_STAGE], state[_BLOCK], state[_CELL] = (
        number,
        stage,
        first_block,
        first_cell,
    )
    state[_LIMIT], state[_SYMBOLS] = limit, decided
    if reading:
        state[_LOW], state[_HIGH], state[_WIDTH], state[_TAKEN] = decoder
        return int(decided)
    if mode == WRITE:
        state[_LOW], state[_WIDTH], state[_TAKEN] = encoder
        if number == len(passes) or limit > len(data) - MARGIN + 1:
            return finish(encoder, data)
        return -1
    return 0


@compiled
def _adapted(packed: int, bit: int, rates: Ints, most: int) -> int:
    """A probability after one more symbol."""
    packed = int(packed)
    seen = packed & 255
    p = packed >> 8
    p += (((bit << PROBABILITY_BITS) - p) * int(rates[index(seen)])) >> _RATE_SHIFT
    return p << 8 | (seen + 1 if seen < most else seen)
