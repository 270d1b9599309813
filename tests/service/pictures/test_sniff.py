"""The format comes from the content alone, and anything else is 415."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import UnsupportedPictureError
from service.pictures import FORMATS, sniff
from tests.support.photos import encoded


@pytest.mark.parametrize("format", FORMATS)
def test_tells_every_format_from_its_bytes(format: str) -> None:
    assert sniff(encoded(format)) == format


@pytest.mark.parametrize(
    "start", [b"", b"BM", b"%PDF-1.7", b"GIF88a", b"<svg", b"\xff\xd8", b"\0" * 64]
)
def test_refuses_what_is_no_accepted_format(start: bytes) -> None:
    with pytest.raises(UnsupportedPictureError) as caught:
        sniff(start)
    assert caught.value.status == 415


def test_an_avif_under_a_neutral_brand_is_an_avif() -> None:
    body = b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif"
    assert sniff(body) == "avif"
    assert sniff(body[:-4] + b"heic") == "heic"


@given(st.binary(max_size=300))
def test_any_bytes_end_as_a_format_or_415(data: bytes) -> None:
    with suppress(UnsupportedPictureError):
        assert sniff(data) in FORMATS
