"""Every parameter has a bound, stands once, and is known; nothing else gets through."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ParameterError
from service.http.protocol.queries import (
    BACKGROUND,
    BYTES_AT_MOST,
    CODEC,
    CODECS,
    FORMAT,
    IDS,
    INLINE,
    PSNR,
    SIZE,
    SSIM,
    V,
    is_image_id,
    known,
    read_query,
    required,
)

ALL = known(BYTES_AT_MOST, SSIM, PSNR, CODEC, V, SIZE, FORMAT, BACKGROUND, CODECS, INLINE)
ID = "abcdefghijklmnopqrstuvwx27"


def refused(raw, parameters=ALL):
    with pytest.raises(ParameterError) as raised:
        read_query(raw, parameters)
    return raised.value.members["parameter"]


def test_each_parameter_is_read():
    raw = (
        b"bytes=64&ssim=.85&psnr=30&codec=conv-lstm&v=0123abcd&size=512&format=jpg"
        b"&background=FFfF00&codecs=a,b,a&inline=1"
    )
    assert read_query(raw, ALL) == {
        "bytes": 64,
        "ssim": 0.85,
        "psnr": 30.0,
        "codec": "conv-lstm",
        "v": "0123abcd",
        "size": 512,
        "format": "jpg",
        "background": (255, 255, 0),
        "codecs": ("a", "b"),
        "inline": True,
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"bytes=1",
        b"bytes=67108865",
        b"bytes=-1",
        b"bytes=",
        b"bytes",
        b"bytes=6.4",
        b"bytes=+64",
        b"bytes=6%204",
        b"bytes=0x40",
        b"bytes=%D9%A6%D9%A4",
        b"bytes=" + b"9" * 5000,
        b"ssim=1.01",
        b"ssim=-0.1",
        b"ssim=nan",
        b"ssim=inf",
        b"ssim=1e999",
        b"ssim=",
        b"psnr=100.1",
        b"psnr=1_0",
        b"size=0",
        b"size=513",
        b"v=ABCDEF01",
        b"v=0123abc",
        b"codec=",
        b"codec=..%2F..",
        b"codec=" + b"a" * 33,
        b"codecs=a,,b",
        b"codecs=" + b",".join(b"c%d" % n for n in range(17)),
        b"format=gif",
        b"background=fff",
        b"background=gggggg",
        b"inline=yes",
    ],
)
def test_what_is_out_of_range_is_refused_by_name(raw):
    assert refused(raw) == raw.partition(b"=")[0].decode()


def test_unknown_repeated_and_missing_parameters_are_refused():
    assert refused(b"byte=64") == "query"
    assert refused(b"bytes=64&bytes=64") == "bytes"
    assert refused(b"bytes=64&%62ytes=65") == "bytes"
    assert refused(b"", known(required(BYTES_AT_MOST))) == "bytes"


def test_escapes_and_empty_pairs_are_read_as_forms_write_them():
    assert read_query(b"&&%62ytes=%36%34&", ALL) == {"bytes": 64}
    assert read_query(b"ssim=1e%2D1", ALL) == {"ssim": 0.1}


def test_a_refusal_names_a_parameter_and_does_not_repeat_its_value():
    for raw in (b"sise=secret", b"codec=Secret", b"bytes=secret", b"v=secret"):
        with pytest.raises(ParameterError) as raised:
            read_query(raw, ALL)
        assert "ecret" not in f"{raised.value.detail} {raised.value.members}"


@given(st.binary(max_size=80))
def test_any_query_is_read_or_refused(raw):
    with contextlib.suppress(ParameterError):
        read_query(raw, ALL)


@given(st.integers(-(10**30), 10**30))
def test_numbers_are_read_within_their_bounds_and_nowhere_else(number):
    raw = b"bytes=%d" % number
    if 2 <= number <= 2**26:
        assert read_query(raw, ALL) == {"bytes": number}
    else:
        assert refused(raw) == "bytes"


@given(st.floats(allow_nan=True))
def test_decimals_are_read_within_their_bounds_and_nowhere_else(number):
    raw = f"ssim={number!r}".replace("+", "%2B").encode()
    if 0 <= number <= 1:
        assert read_query(raw, ALL) == {"ssim": number}
    else:
        assert refused(raw) == "ssim"


def test_ids_are_ids():
    assert read_query(f"ids={ID},{ID}".encode(), known(IDS)) == {"ids": (ID, ID)}
    for bad in ("", ID[1:], ID.upper(), f"{ID},", f"{ID} ", ID[:-1] + "1"):
        assert refused(f"ids={bad}".encode(), known(IDS)) == "ids"
        assert not is_image_id(bad)
    assert not is_image_id(ID + "\n")
