"""The header's two bytes, and cutting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.codec.header import (
    HEADER_BYTES,
    aspect_code,
    aspect_of,
    pack_header,
    parse_header,
    truncate,
)
from service.errors import CodecError, ParameterError


@given(st.integers(1, 31), st.integers(0, 7), st.floats(0.165, 6.1))
def test_a_header_says_what_was_packed(wire_id: int, version: int, aspect: float) -> None:
    header = parse_header(pack_header(wire_id, version, aspect))
    assert (header.wire_id, header.version) == (wire_id, version)
    assert abs(header.aspect / aspect - 1) < 0.0146  # half a step of 2^(1/24)


@given(st.integers(0, 127))
def test_every_aspect_code_is_the_nearest_to_its_own_ratio(code: int) -> None:
    assert aspect_code(aspect_of(code)) == code


def test_common_formats_are_nearly_exact() -> None:
    for width, height in ((3, 2), (4, 3), (16, 9), (1, 1), (2, 3), (3, 4), (9, 16)):
        assert abs(aspect_of(aspect_code(width / height)) * height / width - 1) < 0.0024


def test_pictures_beyond_the_scale_are_clamped() -> None:
    assert aspect_code(1e-9) == 0
    assert aspect_code(1e9) == 127


@pytest.mark.parametrize("aspect", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_aspect_is_refused(aspect: float) -> None:
    with pytest.raises(ValueError, match="aspect"):
        aspect_code(aspect)


@pytest.mark.parametrize(("wire_id", "version"), [(0, 0), (32, 0), (1, 8), (-1, 0), (1, -1)])
def test_ids_that_do_not_fit_are_refused(wire_id: int, version: int) -> None:
    with pytest.raises(ValueError, match="wire id"):
        pack_header(wire_id, version, 1.0)


@given(st.binary(max_size=8))
def test_any_bytes_are_a_header_or_a_codec_error(data: bytes) -> None:
    try:
        header = parse_header(data)
    except CodecError:
        assert len(data) < HEADER_BYTES or data[0] >> 3 == 0 or data[1] & 1
    else:
        assert pack_header(header.wire_id, header.version, header.aspect) == data[:2]


@given(st.binary(min_size=2, max_size=300), st.integers(2, 400))
def test_a_cut_is_a_prefix_within_the_budget(stream: bytes, budget: int) -> None:
    cut = truncate(stream, budget)
    assert stream.startswith(cut)
    assert len(cut) == min(budget, len(stream))


def test_a_budget_below_the_header_is_refused() -> None:
    with pytest.raises(ParameterError):
        truncate(b"\x09\x80abc", 1)
