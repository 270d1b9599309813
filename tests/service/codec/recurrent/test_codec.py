"""The recurrent codec on its shipped weights: prefixes, damaged bytes, golden streams."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.codec.header import HEADER_BYTES, pack_header, truncate
from service.codec.recurrent.codec import RecurrentCodec, bit_order
from service.errors import ArtifactError, CodecError
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from tests.support.photos import crops

VECTORS = Path(__file__).parents[3] / "vectors"


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(12, seed=5)])


@pytest.fixture(scope="module")
def streams(conv_lstm: RecurrentCodec, pictures: np.ndarray) -> list[bytes]:
    return [e.stream for e in conv_lstm.encode(pictures, [1.5] * len(pictures))]


def test_a_stream_has_its_header_and_sixteen_chunks(conv_lstm: RecurrentCodec, streams) -> None:
    assert {len(s) for s in streams} == {conv_lstm.maximum_bytes} == {226}
    assert all(s[:2] == pack_header(1, conv_lstm.version, 1.5) for s in streams)


def test_levels_are_what_the_prefixes_are_worth(conv_lstm: RecurrentCodec, pictures) -> None:
    encoded = conv_lstm.encode(pictures, [1.0] * len(pictures))
    for k in (0, 3, 13):
        cut = [truncate(e.stream, e.levels[k].bytes) for e in encoded]
        shown = np.stack(conv_lstm.decode(cut))
        np.testing.assert_allclose(
            block_ssim(pictures, shown), [e.levels[k].ssim for e in encoded], atol=2e-3
        )
        np.testing.assert_allclose(
            psnr(pictures, shown), [e.levels[k].psnr for e in encoded], atol=0.05
        )


def test_more_chunks_are_better_pictures(conv_lstm: RecurrentCodec, pictures, streams) -> None:
    means = [
        block_ssim(pictures, np.stack(conv_lstm.decode([s[: 2 + n] for s in streams]))).mean()
        for n in (0, 16, 32, 64, 128)
    ]
    assert means == sorted(means)


def test_every_length_from_the_header_on_paints(conv_lstm: RecurrentCodec, streams) -> None:
    cuts = [streams[0][:n] for n in range(HEADER_BYTES, len(streams[0]) + 1)]
    for picture in conv_lstm.decode(cuts):
        assert picture.shape == (32, 32, 3)
        assert picture.dtype == np.uint8


def test_lengths_in_one_batch_do_not_touch_each_other(conv_lstm: RecurrentCodec, streams) -> None:
    cuts = [s[: 2 + 21 * n] for n, s in enumerate(streams)]
    together = conv_lstm.decode(cuts)
    for cut, picture in zip(cuts, together, strict=True):
        (alone,) = conv_lstm.decode([cut])
        assert np.abs(picture.astype(int) - alone).max() <= 1


def test_more_than_one_batch_keeps_the_order(conv_lstm: RecurrentCodec, streams) -> None:
    many = [streams[n % len(streams)][:34] for n in range(70)]
    pictures = conv_lstm.decode(many)
    for n, picture in enumerate(pictures):
        assert np.abs(picture.astype(int) - pictures[n % len(streams)]).max() <= 1


@given(cut=st.integers(0, 226), flips=st.lists(st.tuples(st.integers(0, 225), st.integers(1, 255))))
@settings(max_examples=60, deadline=None)
def test_any_mutation_paints_or_is_a_codec_error(
    conv_lstm: RecurrentCodec, streams: list[bytes], cut: int, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(streams[0])
    for at, mask in flips:
        data[at] ^= mask
    stream = bytes(data[:cut])
    try:
        (picture,) = conv_lstm.decode([stream])
        inspection = conv_lstm.inspect(stream)
    except CodecError:
        ours = pack_header(1, conv_lstm.version, 1.0)[0]
        assert len(stream) < HEADER_BYTES or stream[0] != ours or stream[1] & 1
    else:
        assert picture.shape == (32, 32, 3)
        assert sum(c.length_bytes for c in inspection.chunks) == len(stream)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_are_inspected_or_a_codec_error(conv_lstm: RecurrentCodec, data: bytes) -> None:
    with contextlib.suppress(CodecError):
        assert conv_lstm.inspect(data).total_bytes == len(data)


def test_longer_than_whole_is_refused(conv_lstm: RecurrentCodec, streams) -> None:
    with pytest.raises(CodecError, match="more than a whole stream"):
        conv_lstm.decode([streams[0] + b"\0"])


def test_missing_bits_are_neither_plus_nor_minus_one(conv_lstm: RecurrentCodec, streams) -> None:
    bits = conv_lstm._bits(streams[0][: 2 + 17], 2)
    assert set(np.unique(bits[0])) == {-1.0, 1.0}
    assert (bits[1] != 0).sum() == 8
    first = np.unpackbits(np.frombuffer(streams[0][18:19], np.uint8)).astype(float) * 2 - 1
    np.testing.assert_array_equal(bits[1].reshape(-1)[bit_order((2, 8, 8))[:8]], first)


def test_the_order_of_bits_is_the_one_that_the_format_prints() -> None:
    order = bit_order((2, 8, 8))
    assert sorted(order) == list(range(128))
    for k, position in enumerate(order):
        p = [k % 64 >> 2 * i & 3 for i in range(3)]
        column = sum((p[i] % 2) << (2 - i) for i in range(3))
        row = sum(((p[i] % 2) ^ (p[i] // 2)) << (2 - i) for i in range(3))
        assert position == k // 64 * 64 + row * 8 + column
    assert [(p % 8, p // 8) for p in order[:4]] == [(0, 0), (4, 4), (0, 4), (4, 0)]
    with pytest.raises(ArtifactError):
        bit_order((2, 6, 6))


def test_wrong_pictures_are_refused(conv_lstm: RecurrentCodec) -> None:
    with pytest.raises(ValueError, match="uint8"):
        conv_lstm.encode(np.zeros((1, 16, 16, 3), np.uint8), [1.0])
    with pytest.raises(ValueError, match="aspects"):
        conv_lstm.encode(np.zeros((2, 32, 32, 3), np.uint8), [1.0])


def golden() -> list[dict[str, object]]:
    return json.loads((VECTORS / "conv-lstm" / "streams.json").read_text())["streams"]


@pytest.mark.parametrize("number", range(6))
def test_golden_streams_paint_as_they_always_did(conv_lstm: RecurrentCodec, number: int) -> None:
    vector = golden()[number]
    stream = bytes.fromhex(str(vector["stream"]))
    painted = np.load(VECTORS / "conv-lstm" / "pictures.npz")
    for length in vector["prefixes"]:
        (picture,) = conv_lstm.decode([stream[:length]])
        expected = painted[f"{vector['name']}-{length}"]
        assert np.abs(picture.astype(int) - expected).max() <= 1
