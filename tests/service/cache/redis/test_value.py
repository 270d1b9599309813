"""The value in Redis: what was packed comes back, and nothing else does."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cache.redis.value import (
    FRONT_BYTES,
    HEAD_BYTES,
    CorruptValueError,
    pack,
    unpack,
    unpack_notes,
)
from service.cache.store import Part


def asked(value: bytes, start: int, stop: int | None) -> tuple[bytes, bytes]:
    """What GETRANGE answers when the head and these bytes of the stream are asked for."""
    return value[:FRONT_BYTES], value[HEAD_BYTES:][start:stop]


@given(st.binary(max_size=400), st.integers(0, 500), st.none() | st.integers(0, 500))
def test_any_part_of_any_stream_comes_back(stream: bytes, start: int, stop: int | None) -> None:
    assert unpack(*asked(pack(stream), start, stop), start, stop) == Part(
        stream[start:stop], len(stream), hashlib.sha256(stream).digest(), stream[:2]
    )


@given(st.binary(max_size=100), st.none() | st.integers(0, 120), st.data())
def test_a_value_cut_short_is_never_served(
    stream: bytes, n: int | None, data: st.DataObject
) -> None:
    value, wanted = pack(stream), HEAD_BYTES + len(stream[:n])
    cut = value[: data.draw(st.integers(1, wanted - 1))]
    with pytest.raises(CorruptValueError):
        unpack(*asked(cut, 0, n), 0, n)


@given(st.binary(max_size=100), st.data())
def test_a_whole_value_with_any_byte_changed_is_never_served(
    stream: bytes, data: st.DataObject
) -> None:
    value = bytearray(pack(stream))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptValueError):
        unpack(*asked(bytes(value), 0, None), 0, None)


@given(st.binary(max_size=200), st.integers(0, 300), st.none() | st.integers(0, 300))
def test_any_bytes_unpack_to_nothing_a_part_or_the_one_error(
    value: bytes, start: int, stop: int | None
) -> None:
    try:
        part = unpack(*asked(value, start, stop), start, stop)
    except CorruptValueError:
        return
    assert (part is None) == (value == b"")
    if part is not None:
        assert len(part.data) == len(range(part.total_bytes)[start:stop])


def test_the_layout_is_length_then_hash_then_stream() -> None:
    assert pack(b"abc") == b"\x00\x00\x00\x03" + hashlib.sha256(b"abc").digest() + b"abc"


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", max_size=40)


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=5), st.data())
def test_notes_come_back_and_cut_ones_never_do(
    notes: dict[str, bytes], data: st.DataObject
) -> None:
    packed = b"".join(
        bytes((len(name),)) + name.encode() + len(note).to_bytes(2) + note
        for name, note in notes.items()
    )
    assert unpack_notes(packed) == notes
    cut = packed[: data.draw(st.integers(0, len(packed)))]
    try:
        found = unpack_notes(cut)
    except CorruptValueError:
        return
    assert list(found.items()) == list(notes.items())[: len(found)]


@given(st.binary(max_size=60))
def test_any_bytes_are_notes_or_the_one_error(packed: bytes) -> None:
    with contextlib.suppress(CorruptValueError):
        unpack_notes(packed)
