"""The container reads back as it was written, and bytes cause nothing but CodecError."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import service.codec
from service.codec.container import UNAVAILABLE, UNKNOWN, Entry, State, pack, unpack
from service.errors import CodecError

PAGE = Path(service.codec.__path__[0]) / "CONTAINER.md"


@st.composite
def ok_entries(draw):
    data = draw(st.binary(max_size=300))
    total = draw(st.integers(len(data), 2**32 - 1))
    return Entry(State.OK, draw(st.binary(min_size=4, max_size=4)), total, data)


ENTRIES = st.lists(st.one_of(ok_entries(), st.sampled_from([UNKNOWN, UNAVAILABLE])), max_size=20)


@given(ENTRIES)
def test_entries_come_back_in_their_order(entries):
    assert unpack(pack(entries)) == tuple(entries)


@given(ENTRIES, st.data())
def test_a_cut_container_is_a_codec_error(entries, data):
    body = pack(entries)
    with pytest.raises(CodecError):
        unpack(body[: data.draw(st.integers(0, len(body) - 1))])


@given(ENTRIES, st.binary(min_size=1, max_size=9))
def test_nothing_may_follow_the_last_entry(entries, more):
    with pytest.raises(CodecError):
        unpack(pack(entries) + more)


@given(ENTRIES, st.data())
def test_a_changed_byte_is_another_container_or_a_codec_error(entries, data):
    body = bytearray(pack(entries))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    try:
        found = unpack(bytes(body))
    except CodecError:
        return
    assert pack(found) == bytes(body)  # one container has one form only


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_parse_or_are_a_codec_error(noise, with_magic):
    body = (b"PXLC\x01" if with_magic else b"") + noise
    with contextlib.suppress(CodecError):
        assert pack(unpack(body)) == body


def test_a_great_count_reserves_nothing():
    with pytest.raises(CodecError, match="do not fit"):
        unpack(b"PXLC\x01\xff\xff\xff\xff\x0f")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"PXLD\x01\x00", "begins"),
        (b"PXLC\x02\x00", "version 2"),
        (b"PXLC\x01\x80\x00", "shortest"),
        (b"PXLC\x01\xff\xff\xff\xff\x1f", "shortest"),
        (b"PXLC\x01\x01\x03", "not a state"),
        (b"PXLC\x01\x01\x00vvvv\x01\x02ab", "of a stream of 1"),
    ],
)
def test_each_rule_of_the_page_is_held(body, words):
    with pytest.raises(CodecError, match=words):
        unpack(body)


def test_the_example_of_the_page_is_a_container():
    block = re.findall(r"^    ((?:[0-9A-F]{2} +)+)", PAGE.read_text(), re.MULTILINE)
    body = bytes.fromhex("".join(block))
    assert unpack(body) == (
        Entry(State.OK, bytes.fromhex("9f86d081"), 258, bytes.fromhex("0a805c11")),
        UNKNOWN,
    )


@pytest.mark.parametrize(
    "entry",
    [
        Entry(State.OK, b"abc", 1, b"x"),
        Entry(State.OK, b"abcd", 0, b"x"),
        Entry(State.OK, b"abcd", 2**32, b"x"),
    ],
)
def test_what_has_no_form_is_not_written(entry):
    with pytest.raises(ValueError):
        pack([entry])
