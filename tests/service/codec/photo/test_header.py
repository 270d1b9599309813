"""The header of photos: what was packed is read, all else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.codec.geometry import PHOTO_PIXELS, Size
from service.codec.photo import header
from service.codec.photo.tables import ORDERS
from service.errors import CodecError

SIDES = st.integers(1, 2**14 - 1)


@given(SIDES, SIDES, st.integers(0, len(ORDERS) - 1), st.booleans(), st.binary(max_size=5))
def test_what_was_packed_is_read(
    width: int, height: int, order: int, networks: bool, rest: bytes
) -> None:
    size = Size(width, height)
    if size.pixels > PHOTO_PIXELS:
        with pytest.raises(ValueError, match="pixels at most"):
            header.pack(16, 1, size, order)
        return
    networks = networks and header.may_have_networks(size)
    packed = header.pack(16, 1, size, order, networks)
    assert len(packed) <= header.LONGEST_BYTES
    assert header.parse(packed + rest, True) == (size, order, networks, len(packed))
    for cut in range(2, len(packed)):
        with pytest.raises(CodecError):
            header.parse(packed[:cut], True)
    if networks:  # of a version that has none
        with pytest.raises(CodecError, match="flags"):
            header.parse(packed)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        ("8080c08001", "flags"),  # an order that there is not
        ("80800180c0", "flags"),  # a reserved bit
        ("8080200505", "flags"),  # networks
        ("8080100505", "flags"),  # a map
        ("8080000005", "sides"),
        ("8080000500", "sides"),
        ("808000850005", "shortest"),  # 5 in two bytes
        ("8080008585" + "05", "shortest"),
        ("808000ff7fff7f", "pixels at most"),
        ("8080000a05", "aspect"),
    ],
)
def test_other_headers_are_refused(stream: str, why: str) -> None:
    with pytest.raises(CodecError, match=why):
        header.parse(bytes.fromhex(stream))


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        ("8280103f3f", "flags"),  # a map
        ("82803f3f3f", "flags"),
        ("8280203f3f", "64 pixels or more"),
        ("82aa202c40", "aspect"),
    ],
)
def test_headers_with_networks_that_are_refused(stream: str, why: str) -> None:
    with pytest.raises(CodecError, match=why):
        header.parse(bytes.fromhex(stream), True)


def test_a_small_picture_gets_no_header_with_networks() -> None:
    with pytest.raises(ValueError, match="64 pixels or more"):
        header.pack(16, 2, Size(4000, 63), 0, True)
