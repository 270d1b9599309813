"""The probabilities that photos begin with, coded for the browser by the codec's own range coder.

    class      of each context, how much it was seen: by those of the context before it, of the rank
               below, and of the channel or orientation before
    logit      of what was seen, less a guess by its neighbours; the rest less the first of its part

A number is a bit for zero, its sign, how many bits it has, and these. Each bit has an adaptive
model that what is around chooses. The kit's `photo/kernel/unpack.ts` undoes it, row by row.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.range_coder import PRECISION, TOTAL, finish, new_encoder, put
from service.codec.photo.order import ORIENTS, RANKS
from service.codec.photo.tables import MOST_SEEN, SEEN

Small = NDArray[np.uint8]
STARTS = frozenset((0, 770, 890, 891, 932))
"""Where the parts of a row begin: mixed, flags, empty, signs, fine."""
UNKNOWN = 128
MOST = len(SEEN) - 1
_CHANNEL = ORIENTS * RANKS
_ACTIVITIES = 7
_BITS = 22
_LEAST = 24
_UNTAUGHT = (1 << (_BITS - 1), 0)
ROOM = 1 << 16


def pack(logits: Small, seen: Small) -> bytes:
    """Both uint8 [groups, contexts]."""
    return _Packer(logits.astype(int).tolist(), seen.astype(int).tolist()).packed()


class _Packer:
    def __init__(self, logits: list[list[int]], seen: list[list[int]]) -> None:
        self._logits, self._seen = logits, seen
        self._models: dict[tuple[object, ...], tuple[int, int]] = defaultdict(lambda: _UNTAUGHT)
        self._out = np.zeros(ROOM, np.uint8)
        self._encoder = new_encoder()

    def packed(self) -> bytes:
        """All groups."""
        for group in range(len(self._seen)):
            self._row(group)
        return self._out[: finish(self._encoder, self._out)].tobytes()

    def _row(self, group: int) -> None:
        seen, logits = self._seen[group], self._logits[group]
        reference, was_usual, is_first = UNKNOWN, True, True
        for n, kind in enumerate(seen):
            is_first = is_first or n in STARTS
            self._class(kind, *self._classes_around(group, n))
            if kind == 0:
                change = logits[n] - reference
                self._number(("unseen", was_usual), change)
                was_usual = change == 0
                if is_first:
                    reference, is_first = logits[n], False
            else:
                guess, activity = self._guess(group, n)
                self._number((kind, activity), logits[n] - guess)

    def _classes_around(self, group: int, n: int) -> tuple[int, int, int]:
        """Of the context before, of the rank below, of the channel or orientation before."""
        seen = self._seen
        left = seen[group][n - 1] if n else 0
        above = seen[group - 1][n] if group % RANKS else 0
        before = _CHANNEL if group >= _CHANNEL else RANKS
        return left, above, seen[group - before][n] if group >= before else 0

    def _guess(self, group: int, n: int) -> tuple[int, int]:
        """What a logit may be, and how little is known of that."""
        row, below = self._logits[group], self._logits[group - 1]
        west = row[n - 1] if n else UNKNOWN
        north = below[n] if group else UNKNOWN
        corner = below[n - 1] if n and group else UNKNOWN
        low, high = min(west, north), max(west, north)
        guess = min(max(west + north - corner, low), high)
        if group >= _CHANNEL and self._seen[group - _CHANNEL][n]:
            guess = (3 * guess + self._logits[group - _CHANNEL][n]) >> 2
        spread = abs(west - north) + abs(north - corner) + abs(west - corner)
        return guess, min(spread.bit_length(), _ACTIVITIES - 1)

    def _class(self, kind: int, left: int, above: int, like: int) -> None:
        near = (left, above)
        context = (*near, 0 if like == 0 else 2 if like == MOST else 1)
        self._bit(("none", context), kind == 0)
        if kind:
            self._bit(("most", context), kind == MOST)
        if 0 < kind < MOST:
            high, low = divmod(kind - 1, 2)
            self._bit(("high", near), high == 1)
            self._bit(("low", near, high), low == 1)

    def _number(self, kind: tuple[object, ...], value: int) -> None:
        self._bit((kind, "some"), value != 0)
        if value == 0:
            return
        self._bit((kind, "negative"), value < 0)
        bits = abs(value).bit_length() - 1
        for n in range(bits):
            self._bit((kind, "longer", n), True)
        if bits < 7:
            self._bit((kind, "longer", bits), False)
        size = 1
        for n in range(bits - 1, -1, -1):
            bit = abs(value) >> n & 1
            self._bit((kind, bits, size) if size < 8 else (kind, "low", bits), bit == 1)
            size = 2 * size + bit

    def _bit(self, model: tuple[object, ...], bit: bool) -> None:
        p, count = self._models[model]
        share = min(max(p >> (_BITS - PRECISION), _LEAST), TOTAL - _LEAST)
        start, frequency = (0, share) if bit else (share, TOTAL - share)
        self._encoder = put(self._encoder, self._out, start, frequency)
        rate = 2**17 // (2 * count + 3)
        p += ((int(bit) << _BITS) - p) * rate >> 16
        self._models[model] = (p, min(count + 1, MOST_SEEN))
