"""Numbers of seven bits a byte: there and back, in one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.codec.varint import MOST_BYTES, NUMBERS, pack_varint, read_varint


@given(st.integers(0, NUMBERS.stop - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_a_number_comes_back_and_says_where_it_ends(number, before, after):
    packed = pack_varint(number)
    assert read_varint(before + packed + after, len(before)) == (number, len(before + packed))
    with pytest.raises(EOFError):
        read_varint(before + packed[:-1], len(before))


@given(st.binary(max_size=MOST_BYTES + 2))
def test_whatever_is_read_has_no_other_form(data):
    try:
        number, end = read_varint(data, 0)
    except (EOFError, ValueError):
        return
    assert pack_varint(number) == data[:end]


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff\xff\xff\xff\x1f", b"\x80" * 6])
def test_longer_and_larger_ones_are_refused(data):
    with pytest.raises(ValueError, match="shortest"):
        read_varint(data, 0)
    with pytest.raises(ValueError, match="shortest"):
        read_varint(b"\x80\x80\x01", 0, 2)


@pytest.mark.parametrize("number", [-1, NUMBERS.stop])
def test_other_numbers_are_not_packed(number):
    with pytest.raises(ValueError, match="is not in"):
        pack_varint(number)
