"""The range coder: every symbol comes back, every cut decides what it must and nothing more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.codec.entropy import range_coder
from service.codec.entropy.range_coder import TOTAL, UNDECIDED, new_decoder, new_encoder
from tests.support.uncompiled import uncompiled

NAMES = ("full", "put", "finish", "begin", "get_bit", "get_sign", "refilled", "extended")
COMPILED = {name: getattr(range_coder, name) for name in NAMES}
PYTHON = {name: uncompiled(getattr(range_coder, name)) for name in NAMES}
ROOM = 4096


def encode(rows: list[np.ndarray], symbols: list[int], room: int = ROOM, by=COMPILED) -> bytes:
    out, coder = np.zeros(room, np.uint8), new_encoder()
    for row, symbol in zip(rows, symbols, strict=True):
        if by["full"](coder, out):
            break
        coder = by["put"](coder, out, int(row[symbol]), int(row[symbol + 1] - row[symbol]))
    return out[: by["finish"](coder, out)].tobytes()


def decode(rows: list[np.ndarray], stream: bytes, by=COMPILED, limit: int | None = None):
    """The symbols that the prefix of ``limit`` bytes decides."""
    return decode_cuts(rows, stream, [len(stream) if limit is None else limit], by)[0]


def decode_cuts(rows: list[np.ndarray], stream: bytes, cuts: list[int], by=COMPILED):
    """What each prefix decides, in one pass."""
    data, found, known = np.frombuffer(stream, np.uint8), [], []
    ends = iter(cuts)
    limit = next(ends)
    coder = by["begin"](new_decoder(), data, limit)
    for row in rows:
        get = by["get_bit"] if len(row) == 3 else by["get_sign"]
        while (answer := get(coder, int(row[1])))[0] == UNDECIDED:
            known.append(found.copy())
            if (longer := next(ends, None)) is None:
                return known
            coder, limit = by["extended"](coder, data, limit, longer), longer
        coder = by["refilled"](answer[1], data, limit)
        found.append(int(answer[0]))
    return [*known, *[found] * (len(cuts) - len(known))]


@st.composite
def messages(draw: st.DrawFn) -> tuple[list[np.ndarray], list[int]]:
    """Rows of cumulative frequencies, the most lopsided ones too, and a symbol for each."""
    bit = st.one_of(st.integers(1, TOTAL - 1), st.sampled_from([1, TOTAL - 1, TOTAL // 2]))
    sign = st.one_of(st.integers(1, TOTAL // 2 - 1), st.sampled_from([1, TOTAL // 2 - 1]))
    tables = draw(
        st.lists(
            st.one_of(
                bit.map(lambda f: np.array([0, f, TOTAL], np.int32)),
                sign.map(lambda f: np.array([0, f, 2 * f, TOTAL], np.int32)),
            ),
            min_size=1,
            max_size=4,
        )
    )
    rows = draw(st.lists(st.sampled_from(range(len(tables))), max_size=200))
    return [tables[k] for k in rows], [draw(st.integers(0, len(tables[k]) - 2)) for k in rows]


def bits_of(rows: list[np.ndarray], symbols: list[int]) -> float:
    return sum(16 - math.log2(row[s + 1] - row[s]) for row, s in zip(rows, symbols, strict=False))


@given(messages())
@settings(deadline=None, max_examples=60)
def test_a_whole_stream_decides_every_symbol_and_is_as_short_as_its_information(message) -> None:
    rows, symbols = message
    stream = encode(rows, symbols)
    assert decode(rows, stream) == symbols
    assert 8 * len(stream) <= bits_of(rows, symbols) * 1.003 + 16


@given(messages(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_a_prefix_decides_exactly_what_no_continuation_can_change(message, random) -> None:
    rows, symbols = message
    stream = encode(rows, symbols)
    cut = stream[: random.randint(0, len(stream))]
    found = decode(rows, cut)
    assert found == symbols[: len(found)]
    tails = [bytes([byte]) * 12 for byte in (0, 255)] + [random.randbytes(12) for _ in range(4)]
    continued = [decode(rows, cut + tail) for tail in tails]
    assert all(other[: len(found)] == found for other in continued)
    if len(found) < len(rows):  # the next symbol is open: the two extremes disagree on it
        nexts = {tuple(other[len(found) : len(found) + 1]) for other in continued[:2]}
        assert len(nexts) == 2


@given(messages(), st.integers(6, 40))
@settings(deadline=None, max_examples=60)
def test_a_full_buffer_holds_a_prefix_of_the_stream(message, room) -> None:
    rows, symbols = message
    short = encode(rows, symbols, room)
    found = decode(rows, short)
    assert found == symbols[: len(found)]
    assert found == symbols or len(short) == room - range_coder.MARGIN
    if found == symbols:  # a cut beside a boundary may leave any number of bits undecided
        assert 8 * len(short) <= bits_of(rows, symbols) * 1.003 + 16


@given(messages())
@settings(deadline=None, max_examples=40)
def test_python_and_machine_code_write_and_read_the_same(message) -> None:
    rows, symbols = message
    stream = encode(rows, symbols)
    assert encode(rows, symbols, by=PYTHON) == stream
    for length in {0, 1, len(stream) // 2, len(stream)}:
        assert decode(rows, stream[:length], by=PYTHON) == decode(rows, stream[:length])


@given(messages(), st.lists(st.integers(0, 60), min_size=1, max_size=8).map(sorted))
@settings(deadline=None, max_examples=60)
def test_one_pass_knows_what_every_prefix_decides(message, cuts) -> None:
    rows, symbols = message
    stream = encode(rows, symbols)
    cuts = [min(cut, len(stream)) for cut in cuts]
    alone = [decode(rows, stream[:cut]) for cut in cuts]
    assert decode_cuts(rows, stream, cuts) == alone
    assert decode_cuts(rows, stream, cuts, by=PYTHON) == alone


@given(messages(), st.binary(max_size=60))
@settings(deadline=None, max_examples=60)
def test_any_bytes_decode_to_symbols(message, data) -> None:
    rows, _ = message
    found = decode(rows, data)
    assert all(0 <= s < len(row) - 1 for row, s in zip(rows, found, strict=False))


@pytest.mark.parametrize("lead", [0, 3, 60])
def test_a_carry_runs_through_a_run_of_ff(lead: int) -> None:
    halves = np.array([0, TOTAL // 2, TOTAL], np.int32)
    thin = np.array([0, TOTAL - 1, TOTAL], np.int32)
    rows = [halves] * (8 * lead + 1) + [thin] * 3 + [halves] * 40 + [thin] * 9
    symbols = [0] * (8 * lead + 1) + [1] * 3 + [1] * 40 + [1] * 9
    assert decode(rows, encode(rows, symbols)) == symbols


def test_nothing_takes_no_byte() -> None:
    assert encode([], []) == b""
    assert decode([np.array([0, 1, TOTAL], np.int32)], b"") == []
