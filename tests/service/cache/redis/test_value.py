"""The value in Redis: what was packed comes back, and nothing else does."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cache.redis.value import HEAD_BYTES, CorruptValueError, pack, unpack
from service.cache.store import Prefix


def asked(value: bytes, n: int | None) -> bytes:
    """What GETRANGE answers when the first ``n`` bytes of the stream are asked for."""
    return value if n is None else value[: HEAD_BYTES + n]


@given(st.binary(max_size=400), st.none() | st.integers(0, 500))
def test_any_prefix_of_any_stream_comes_back(stream: bytes, n: int | None) -> None:
    assert unpack(asked(pack(stream), n), n) == Prefix(
        stream[:n], len(stream), hashlib.sha256(stream).digest()
    )


@given(st.binary(max_size=100), st.none() | st.integers(0, 120), st.data())
def test_a_value_cut_short_is_never_served(
    stream: bytes, n: int | None, data: st.DataObject
) -> None:
    answer = asked(pack(stream), n)
    cut = data.draw(st.integers(1, len(answer) - 1))
    with pytest.raises(CorruptValueError):
        unpack(answer[:cut], n)


@given(st.binary(max_size=100), st.data())
def test_a_whole_value_with_any_byte_changed_is_never_served(
    stream: bytes, data: st.DataObject
) -> None:
    value = bytearray(pack(stream))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptValueError):
        unpack(bytes(value), None)


@given(st.binary(max_size=200), st.none() | st.integers(0, 300))
def test_any_bytes_unpack_to_nothing_a_prefix_or_the_one_error(value: bytes, n: int | None) -> None:
    try:
        prefix = unpack(value, n)
    except CorruptValueError:
        return
    assert (prefix is None) == (value == b"")
    if prefix is not None:
        assert len(prefix.data) == (prefix.total_bytes if n is None else min(n, prefix.total_bytes))


def test_the_layout_is_length_then_hash_then_stream() -> None:
    assert pack(b"abc") == b"\x00\x00\x00\x03" + hashlib.sha256(b"abc").digest() + b"abc"
