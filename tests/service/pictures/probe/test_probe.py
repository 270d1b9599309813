"""Header walks raise PictureError and nothing else, whatever the bytes; no decoder is involved."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import PictureError
from service.pictures import FORMATS, Limits
from service.pictures.probe import Header, av1, hevc, read_header
from service.pictures.probe.bits import Bits
from tests.fuzz.mutate import mutate
from tests.support.variants import variants

LIMITS = Limits()


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damage_raises_picture_errors_only(format: str, seed: int) -> None:
    data = mutate(list(variants(format).values()), random.Random(seed))
    with suppress(PictureError):
        assert isinstance(read_header(format, data, LIMITS), Header)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=100, deadline=None)
@given(tail=st.binary(max_size=400), keep=st.integers(0, 60))
def test_any_tail_raises_picture_errors_only(format: str, tail: bytes, keep: int) -> None:
    start = next(iter(variants(format).values()))[:keep]
    with suppress(PictureError):
        read_header(format, start + tail, LIMITS)


@pytest.mark.parametrize("format", FORMATS)
def test_every_prefix_raises_picture_errors_only(format: str) -> None:
    for body in variants(format).values():
        for end in range(0, min(len(body), 1500)):
            with suppress(PictureError):
                read_header(format, body[:end], LIMITS)


@pytest.mark.parametrize("format", FORMATS)
def test_what_the_decoder_gets_is_checked_again_to_the_same_header(format: str) -> None:
    for name, body in variants(format).items():
        first = read_header(format, body, LIMITS)
        second = read_header(format, first.body, LIMITS)
        assert second.coded_size == first.coded_size, name
        assert len(second.body) <= len(first.body) + 1000, name


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif"])
def test_metadata_does_not_reach_the_decoder(format: str) -> None:
    names = {"gif": "comment"}
    body = read_header(format, variants(format)[names.get(format, "metadata")], LIMITS).body
    for mark in (b"Exif", b"EXIF", b"eXIf", b"ICC_PROFILE", b"iCCP", b"ICCP", b"x" * 200):
        assert mark not in body


@given(st.binary(max_size=300))
def test_bitstream_walks_raise_picture_errors_only(data: bytes) -> None:
    with suppress(PictureError):
        assert av1.painted_pixels(data) >= 0
    with suppress(PictureError):
        assert hevc.painted_pixels(data[:60], data[60:]) >= 0


@given(st.integers(0, 2**32 - 2))
def test_golomb_codes_are_read_back(value: int) -> None:
    code = bin(value + 1)[2:]
    text = "0" * (len(code) - 1) + code + "1"
    text += "0" * (-len(text) % 8)
    bits = Bits(int(text, 2).to_bytes(len(text) // 8, "big"))
    assert bits.golomb() == value
    assert bits.take(1) == 1
