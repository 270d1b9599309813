"""What photos begin with, coded for the browser by the codec's own range coder.

    class      of each context, how much it was seen: by those of the context before it, of the rank
               below, and of the channel or orientation before
    logit      of what was often seen, less a guess by its neighbours. Of what was seen up to 7
               times, how often it was and how often a 1, then how far the logit is from what
               `models.photo.learning` makes of these. Of what was not seen: whether it is its
               part's, as it mostly is; if not, it was once
    changes    of mixing weights, slopes and whatever wide tables have besides, as the number before
               them is large. A wide row has neither mixed contexts nor signs

A number is a bit for zero, its sign, how many bits it has, and these. Each bit has an adaptive
model that what is around chooses. The kit's `photo/kernel/unpack.ts` undoes it, row by row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.range_coder import PRECISION, TOTAL, finish, new_encoder, put
from service.codec.photo.bitplane_coder import STRETCH_LIMIT
from service.codec.photo.order import ORIENTS, RANKS
from service.codec.photo.tables import LOGIT_STEP, MOST_SEEN, SEEN, Tables

Whole = NDArray[np.int64]
ENDS = (0, 770, 890, 891, 932, 971)
"""Of the parts of a row: mixed, flags, empty, signs, fine."""
NOT_WIDE = (0, 3)
FIRST_OF_HALVES = 891
"""From here on a context borrows as much as 8 symbols say of its part; before, as half a one."""
UNKNOWN = 128
MOST = len(SEEN) - 1
FEW = {0: (1,), 1: (2, 3), 2: (4, 5, 6, 7)}
"""How many symbols classes of few stand for."""
_CHANNEL = ORIENTS * RANKS
_ACTIVITIES = 7
_SIZES = 6
_BITS = 22
_LEAST = 24
_UNTAUGHT = (1 << (_BITS - 1), 0)
ROOM = 1 << 16


def pack(opened: Tables, *changes: Whole) -> bytes:
    """Logits and classes, uint8 [groups, contexts], of the tables; then lists of ``changes``."""
    packer = _Packer(opened)
    packer.rows()
    for one in changes:
        packer.changes(one.ravel().tolist())
    return packer.finished()


class _Packer:
    def __init__(self, opened: Tables) -> None:
        is_wide = opened.stored.wide is not None
        self._parts = [n for n in range(len(ENDS) - 1) if not is_wide or n not in NOT_WIDE]
        self._logits = self._whole_rows(opened.stored.logits)
        self._seen = self._whole_rows(opened.stored.seen)
        self._squash, self._stretch = opened.fixed.squash, opened.fixed.stretch
        self._usual = [UNKNOWN] * (len(ENDS) - 1)
        self._models: dict[tuple[object, ...], tuple[int, int]] = defaultdict(lambda: _UNTAUGHT)
        self._out = np.zeros(ROOM, np.uint8)
        self._encoder = new_encoder()

    def _whole_rows(self, told: NDArray[np.uint8]) -> list[list[int]]:
        """As if all parts were there."""
        rows = np.zeros((len(told), ENDS[-1]), int)
        rows[:, [n for part in self._parts for n in range(ENDS[part], ENDS[part + 1])]] = told
        found: list[list[int]] = rows.tolist()
        return found

    def finished(self) -> bytes:
        """All that was coded."""
        return self._out[: finish(self._encoder, self._out)].tobytes()

    def rows(self) -> None:
        """All groups."""
        for group in range(len(self._seen)):
            for number in self._parts:
                self._part(group, number, ENDS[number], ENDS[number + 1])

    def changes(self, values: Iterable[int]) -> None:
        """Numbers, each by how many bits the one before it has."""
        before = 0
        for value in values:
            self._number(("change", min(before.bit_length(), _SIZES - 1)), value)
            before = abs(value)

    def _part(self, group: int, number: int, first: int, last: int) -> None:
        seen, logits = self._seen[group], self._logits[group]
        unseen = Counter(logits[n] for n in range(first, last) if seen[n] == 0)
        usual = unseen.most_common(1)[0][0] if unseen else self._usual[number]
        is_told, was_usual = False, True
        for n in range(first, last):
            kind = seen[n]
            self._class(kind, *self._classes_around(group, n))
            if kind in FEW and not is_told:
                self._number(("usual",), usual - self._usual[number])
                self._usual[number], is_told = usual, True
            if kind not in FEW:
                guess, activity = self._guess(group, n)
                self._number((kind, activity), logits[n] - guess)
                continue
            if kind == 0:
                self._bit(("is usual", was_usual), logits[n] == usual)
                was_usual = logits[n] == usual
                if was_usual:
                    continue
            self._counted(kind, self._guess(group, n)[0], logits[n], usual, first)

    def _counted(self, kind: int, guess: int, logit: int, usual: int, first: int) -> None:
        """By how many symbols, and how many of these 1, the logit is explained best."""
        makes = {
            (symbols, ones): self._logit_of(symbols, ones, usual, first)
            for symbols in FEW[kind]
            for ones in range(symbols + 1)
        }
        symbols, ones = min(makes, key=lambda pair: abs(makes[pair] - logit))
        node = 1
        for n in range(kind - 1, -1, -1):
            bit = symbols >> n & 1
            self._bit(("symbols", kind, node), bit == 1)
            node = 2 * node + bit
        for n in range(min(ones + 1, symbols)):
            self._bit(("ones", kind, guess >> 4, min(n, 3)), n < ones)
        self._number(("rest", ones > 0), logit - makes[symbols, ones])

    def _logit_of(self, symbols: int, ones: int, usual: int, first: int) -> int:
        x = LOGIT_STEP * (usual - UNKNOWN) + STRETCH_LIMIT
        share = int(self._squash[min(max(x, 0), 2 * STRETCH_LIMIT)])
        twice = 16 if first >= FIRST_OF_HALVES else 1
        likely = (2 * ones * TOTAL + twice * share) // (2 * symbols + twice)
        return (int(self._stretch[likely >> 4]) + LOGIT_STEP // 2) // LOGIT_STEP + UNKNOWN

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
