"""Orientation is read where it is, and broken metadata never breaks a picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.pictures.exif import orientation
from tests.support.variants import exif


@pytest.mark.parametrize("value", range(1, 9))
def test_reads_all_eight(value: int) -> None:
    assert orientation(exif(value)) == value
    assert orientation(exif(value).removeprefix(b"Exif\0\0")) == value


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_a_value_that_does_not_exist_is_upright(value: int) -> None:
    assert orientation(exif(value)) == 1


@given(st.binary(max_size=200))
def test_no_bytes_raise(tail: bytes) -> None:
    assert 1 <= orientation(b"Exif\0\0II*\0" + tail) <= 8
    assert 1 <= orientation(tail) <= 8
