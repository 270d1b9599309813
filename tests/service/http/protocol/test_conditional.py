"""Ranges, ETags and digests: RFC 9110's grammar, RFC 9530's own examples, and no exceptions."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RangeError
from service.http.protocol.conditional import (
    ByteRange,
    digest_field,
    if_range,
    none_match,
    parse_range,
    strong_etag,
)

HELLO = b'{"hello": "world"}\n'
POSITIONS = st.integers(0, 10**6)


def sha256(data):
    return hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (HELLO, b"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
        (HELLO[10:], b"sha-256=:jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ=:"),
        (b"", b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
    ],
    ids=["whole representation", "bytes 10-18/19", "no content"],
)
def test_digests_are_those_of_rfc_9530_appendix_b(content, field):
    assert digest_field(sha256(content)) == field


@given(POSITIONS, POSITIONS)
def test_a_range_of_two_ends_is_read(first, last):
    found = parse_range(b"bytes=%d-%d" % (first, last))
    assert found == (ByteRange(first, last) if first <= last else None)


@given(POSITIONS)
def test_open_and_suffix_ranges_are_read(number):
    assert parse_range(b"bytes=%d-" % number) == ByteRange(number, None)
    assert parse_range(b"bytes=-%d" % number) == ByteRange(None, number)


@given(st.integers(0, 300), st.one_of(st.none(), POSITIONS), st.one_of(st.none(), POSITIONS))
def test_a_range_is_what_slicing_says_or_416(total, first, last):
    if (first is None and last is None) or (
        first is not None and last is not None and last < first
    ):
        return
    data = bytes(index % 256 for index in range(total))
    if first is None:
        expected = data[max(0, total - last) :]
    else:
        expected = data[first:] if last is None else data[first : last + 1]
    wanted = ByteRange(first, last)
    if not expected:
        with pytest.raises(RangeError) as raised:
            wanted.within(total)
        assert raised.value.total_bytes == total
        return
    start, end = wanted.within(total)
    assert data[start:end] == expected
    begin, stop = wanted.guess
    if first is not None:
        assert begin == start
        assert data[begin:stop] == expected


@given(st.binary(max_size=60))
def test_any_header_is_a_range_or_ignored(value):
    for text in (value, b"bytes=" + value):
        found = parse_range(text)
        assert found is None or found.first is not None or found.last is not None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"bytes",
        b"bytes=",
        b"bytes=-",
        b"bytes=5-2",
        b"bytes=a-b",
        b"bytes=0-1,3-4",
        b"bytes=0-1, bytes=3-4",
        b"items=0-1",
        b"bytes=+1-2",
        b"bytes=0x1-2",
        b"bytes=1.5-2",
        b"bytes=1 - 2",
        "bytes=\u0661-2".encode(),
    ],
)
def test_malformed_multiple_and_foreign_ranges_are_ignored(value):
    assert parse_range(value) is None


def test_a_unit_has_no_case_and_a_list_of_one_is_one():
    assert parse_range(b"BYTES=0-63") == ByteRange(0, 63)
    assert parse_range(b"bytes=0-63,") == ByteRange(0, 63)


def test_numbers_of_any_length_cost_nothing_and_mean_the_end():
    huge = b"9" * 10_000
    assert parse_range(b"bytes=0-" + huge).within(258) == (0, 258)
    with pytest.raises(RangeError):
        parse_range(b"bytes=" + huge + b"-").within(258)
    assert parse_range(b"bytes=" + b"0" * 5000 + b"7-9") == ByteRange(7, 9)


ETAG = strong_etag(sha256(b"x"))


@pytest.mark.parametrize(
    "value",
    [ETAG, b"W/" + ETAG, b"*", b' "a" , ' + ETAG, b'"a,b", ' + ETAG + b', "c"', b"," + ETAG],
)
def test_if_none_match_finds_the_etag_weakly(value):
    assert none_match(value, ETAG)


@pytest.mark.parametrize(
    "value",
    [b"", b'"a"', ETAG[1:-1], b'"x' + ETAG + b'"', ETAG + b"x", ETAG + b' "a"', b"w/" + ETAG],
)
def test_if_none_match_finds_nothing_else(value):
    assert not none_match(value, ETAG)


@given(st.binary(max_size=80))
def test_any_if_none_match_is_read(value):
    assert none_match(value, ETAG) in (True, False)


def test_if_range_is_strong_and_a_date_never_holds():
    assert if_range(ETAG, ETAG)
    assert not if_range(b"W/" + ETAG, ETAG)
    assert not if_range(b'"other"', ETAG)
    assert not if_range(b"Sat, 21 Nov 2026 07:00:00 GMT", ETAG)


@given(st.binary(), st.binary())
def test_equal_bytes_and_only_those_have_equal_etags(one, other):
    assert (strong_etag(sha256(one)) == strong_etag(sha256(other))) == (one == other)
