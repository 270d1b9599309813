"""Steps assigned to patches: what is written is read at every cut, patches end at the target."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.codec.entropy.range_coder import new_decoder, new_encoder
from service.codec.header import HEADER_BYTES, pack_header, truncate
from service.codec.recurrent.adaptive_patches import PatchCodec, longest, read, write
from service.errors import CodecError
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from tests.support.photos import crops

SHAPE = 4, 3, 5
ENDLESS = 1000.0  # dB that no patch reaches


def written(signs: np.ndarray, needed: np.ndarray) -> bytes:
    room = np.zeros(longest(*signs.shape) + HEADER_BYTES, np.uint8)
    return room[: write(new_encoder(), signs, needed, room)].tobytes()


def known(payload: bytes, shape: tuple[int, int, int]) -> tuple[np.ndarray, bool]:
    signs = np.zeros(shape, np.int8)
    whole = read(new_decoder(), np.frombuffer(payload, np.uint8), signs)
    return signs, whole


assignments = st.tuples(
    st.lists(st.integers(1, SHAPE[0]), min_size=SHAPE[2], max_size=SHAPE[2]),
    st.integers(0, 2 ** np.prod(SHAPE).item() - 1),
)


def unpacked(drawn: tuple[list[int], int]) -> tuple[np.ndarray, np.ndarray]:
    bits = np.array([drawn[1] >> k & 1 for k in range(np.prod(SHAPE).item())], np.int8)
    return (1 - 2 * bits).reshape(SHAPE), np.array(drawn[0], np.int64)


@given(assignments)
@settings(max_examples=100, deadline=None)
def test_every_prefix_knows_the_beginning_and_the_whole_knows_all(drawn) -> None:
    signs, needed = unpacked(drawn)
    payload = written(signs, needed)
    sent = np.where(np.arange(SHAPE[0])[:, None, None] < needed, signs, 0)
    before = 0
    for length in range(len(payload) + 1):
        found, whole = known(payload[:length], SHAPE)
        in_order = found[found != 0]
        assert (found == sent)[found != 0].all()
        assert len(in_order) >= before, "more bytes knew less"
        assert whole == (length == len(payload))
        before = len(in_order)
    np.testing.assert_array_equal(found, sent)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_the_longest_stream_holds_any_assignment(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    signs = drawn.choice(np.array([-1, 1], np.int8), (8, 8, 16))
    needed = drawn.integers(1, 9, 16)
    payload = written(signs, needed)
    assert len(payload) <= longest(8, 8, 16)
    np.testing.assert_array_equal((known(payload, signs.shape)[0] != 0).any(axis=1).sum(0), needed)


def test_flags_cost_little_where_all_patches_do_the_same() -> None:
    signs = np.ones((8, 8, 16), np.int8)
    assert len(written(signs, np.full(16, 8))) <= 128 + 2
    assert len(written(signs, np.full(16, 4))) <= 64 + 10


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(12, seed=5)])


def test_with_all_steps_it_paints_what_the_fixed_assignment_paints(
    fc_lstm: PatchCodec, pictures: np.ndarray
) -> None:
    fixed = [e.stream for e in fc_lstm.encode(pictures, [1.0] * 12)]
    assigned = [e.stream for e in fc_lstm.assigned.encode(pictures, [1.0] * 12, ENDLESS)]
    assert {len(s) for s in assigned} <= {131, 132}
    for one, other in zip(fc_lstm.decode(fixed), fc_lstm.decode(assigned), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_both_versions_are_painted_in_the_order_given(
    fc_lstm: PatchCodec, pictures: np.ndarray
) -> None:
    fixed = [e.stream for e in fc_lstm.encode(pictures, [1.0] * 12)]
    assigned = [e.stream for e in fc_lstm.assigned.encode(pictures, [1.0] * 12, ENDLESS)]
    mixed = [stream for pair in zip(fixed, assigned, strict=True) for stream in pair]
    shown = fc_lstm.decode(mixed)
    for n in range(12):
        assert np.abs(shown[2 * n].astype(int) - shown[2 * n + 1]).max() <= 1
    assert len({stream[0] for stream in mixed}) == 2, "the header tells the versions apart"
    assert fc_lstm.inspect(mixed[0]).version + 1 == fc_lstm.inspect(mixed[1]).version


@pytest.mark.parametrize(("quality", "target"), [(psnr, 22.0), (block_ssim, 0.7)])
def test_a_patch_ends_at_the_first_step_that_reaches_the_target(
    fc_lstm: PatchCodec, pictures: np.ndarray, quality, target: float
) -> None:
    codec = fc_lstm.assigned
    streams = [e.stream for e in codec.encode(pictures, [1.0] * 12, target, quality)]
    steps = np.array([codec.inspect(s).facts["steps_of_patches"] for s in streams])
    shown = [painted for _, painted in fc_lstm.steps(pictures)]
    cut = lambda p: codec._patches(p)  # noqa: E731
    reached = np.stack([quality(cut(pictures), cut(s)).reshape(12, 16) for s in shown]) >= target
    expected = np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, 8)
    np.testing.assert_array_equal(steps, expected)
    assert np.unique(steps).size > 1
    whole = np.stack(codec.decode(streams))
    patchwise = quality(cut(pictures), cut(whole)).reshape(12, 16)
    tolerance = 0.1 if quality is psnr else 0.01
    assert (patchwise[reached.any(axis=0)] > target - tolerance).all()


def test_levels_are_what_the_prefixes_are_worth(fc_lstm: PatchCodec, pictures: np.ndarray) -> None:
    encoded = fc_lstm.assigned.encode(pictures, [1.0] * 12, 22.0)
    for picture, one in zip(pictures, encoded, strict=True):
        ends = [level.bytes for level in one.levels]
        assert ends == sorted(set(ends))
        assert ends[-1] == len(one.stream)
        for level in one.levels[:: len(ends) - 1]:
            (shown,) = fc_lstm.decode([truncate(one.stream, level.bytes)])
            assert psnr(picture[None], shown[None])[0] == pytest.approx(level.psnr, abs=0.05)


def test_more_bytes_are_better_pictures(fc_lstm: PatchCodec, pictures: np.ndarray) -> None:
    streams = [e.stream for e in fc_lstm.assigned.encode(pictures, [1.0] * 12, 24.0)]
    means = [
        block_ssim(pictures, np.stack(fc_lstm.decode([s[: 2 + n] for s in streams]))).mean()
        for n in (0, 8, 16, 32, 64, 128)
    ]
    assert means == sorted(means)


@given(cut=st.integers(0, 200), flips=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 255))))
@settings(max_examples=60, deadline=None)
def test_any_mutation_paints_or_is_a_codec_error(
    fc_lstm: PatchCodec, cut: int, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(pack_header(fc_lstm.wire_id, fc_lstm.assigned.version, 1.0) + bytes(60))
    for at, mask in flips:
        data[at] ^= mask
    stream = bytes(data[:cut])
    with contextlib.suppress(CodecError):
        (picture,) = fc_lstm.decode([stream])
        inspection = fc_lstm.inspect(stream)
        assert picture.shape == (32, 32, 3)
        assert sum(c.length_bytes for c in inspection.chunks) == len(stream)


def test_longer_than_whole_is_refused(fc_lstm: PatchCodec) -> None:
    codec = fc_lstm.assigned
    stream = pack_header(codec.wire_id, codec.version, 1.0) + bytes(codec.maximum_bytes - 2)
    assert fc_lstm.decode([stream])[0].shape == (32, 32, 3)
    with pytest.raises(CodecError, match="more than a whole stream"):
        fc_lstm.decode([stream + b"\0"])


@pytest.mark.parametrize("version", [1, 4, 7])
def test_other_versions_are_refused(fc_lstm: PatchCodec, version: int) -> None:
    with pytest.raises(CodecError, match=f"version {version}"):
        fc_lstm.decode([pack_header(fc_lstm.wire_id, version, 1.0)])
