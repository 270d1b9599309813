"""Facts of images and streams: what was written comes back, and anything else is one error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.codec.geometry import THUMB, Size
from service.codec.interface import Encoded, Level
from service.http.jobs.facts import (
    Facts,
    ForeignMetaError,
    ImageFacts,
    facts_of,
    read_facts,
    read_image,
    write_facts,
    write_image,
)
from tests.support.codec import GreyCodec

STREAM = bytes((1 << 3 | 2, 64 << 1)) + bytes(range(256))
CODEC = GreyCodec(wire_id=1, version=2, readable_versions=frozenset((2,)))
SIDES = st.integers(1, 4096)
SIZES = st.builds(Size, SIDES, SIDES)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Any that this service may write."""
    total_bytes = draw(st.integers(2, 2**22))
    ends = draw(st.sets(st.integers(1, total_bytes), max_size=20))
    ssim = st.integers(-10_000, 10_000).map(lambda n: n / 10_000)
    psnr = st.integers(0, 1_000_000).map(lambda n: n / 10_000)
    levels = tuple(
        Level(end, draw(ssim), draw(psnr), draw(st.none() | ssim)) for end in sorted(ends)
    )
    v = draw(st.binary(min_size=4, max_size=4)).hex()
    return Facts(v, draw(st.integers(0, 7)), total_bytes, levels, draw(SIZES), draw(SIZES))


@given(facts())
def test_facts_come_back(written: Facts) -> None:
    assert read_facts(write_facts(written)) == written


@given(facts(), st.data())
def test_cut_or_longer_facts_are_refused(written: Facts, data: st.DataObject) -> None:
    packed = write_facts(written)
    for wrong in (packed[: data.draw(st.integers(0, len(packed) - 1))], packed + b"x"):
        with pytest.raises(ForeignMetaError):
            read_facts(wrong)


@given(st.binary(max_size=80), st.sampled_from([b"", b"\x01", b"\x02", b"[", b"[["]))
def test_any_bytes_are_facts_or_the_one_error(rest: bytes, begin: bytes) -> None:
    for read in (read_facts, read_image):
        with contextlib.suppress(ForeignMetaError):
            read(begin + rest)


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1), st.sampled_from(["jpeg", "heic"]))
def test_an_image_comes_back(width: int, height: int, format: str) -> None:
    written = ImageFacts(width, height, format)
    assert read_image(write_image(written)) == written


def test_an_endless_psnr_is_bounded() -> None:
    levels = (Level(18, 0.51234, 20.0), Level(258, 1.0, float("inf")))
    made = facts_of(CODEC, Encoded(STREAM, levels), "01234567")
    assert made.version == 2
    assert made.levels == (Level(18, 0.5123, 20.0), Level(258, 1.0, 100.0))
    assert read_facts(write_facts(made)) == made


def test_what_the_version_before_wrote_is_read() -> None:
    level = Level(18, 0.5, 20.0)
    old = b'["abcdef01", 1, 258, [[18, 0.5, 20.0, null]]]'
    assert read_facts(old) == Facts("abcdef01", 1, 258, (level,), THUMB, THUMB)
    photo = b'["abcdef01", 1, 900, [[18, 0.5, 20, 0.25]], [300, 200, 75, 50]]'
    worth = (Level(18, 0.5, 20.0, 0.25),)
    assert read_facts(photo) == Facts("abcdef01", 1, 900, worth, Size(300, 200), Size(75, 50))
    assert read_image(b'[96, 64, "jpeg"]') == ImageFacts(96, 64, "jpeg")
