"""Recurrent codecs of photos: any size, any cut, any bytes; the dear are shrunk or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.codec import artifact
from service.codec.geometry import Size
from service.codec.header import HEADER_BYTES
from service.codec.photo import header
from service.codec.recurrent.codec import RecurrentStage
from service.codec.recurrent.full_resolution import FullResolutionCodec
from service.codec.recurrent.grid import BitGrid, order_of, shrunk_size
from service.codec.registry import available, load_codec, load_codecs, names_by_wire_id, usual
from service.errors import ArtifactError, CodecError
from service.inference import Runtime
from service.quality.psnr import psnr
from service.settings import packaged_artifacts
from tests.support.photos import crops

VECTORS = Path(__file__).parents[3] / "vectors"
WIRE_IDS = {
    17: "gru-dssim",
    18: "gru-prime",
    20: "lstm-scaling",
    21: "gru-thumbs",
    22: "gru-entropy",
    23: "residual-gru",
}
SHIPPED = sorted(set(WIRE_IDS.values()) & set(available(packaged_artifacts())))
NAME = "gru-prime"
"""The one whose halves run more often than they tell: the others do less of the same."""
ITERATIONS, POSITION_BYTES = 16, 4


@pytest.fixture(scope="module")
def codec() -> FullResolutionCodec:
    return load(NAME)


def load(name: str, folder: Path | None = None) -> FullResolutionCodec:
    found = load_codec((folder or packaged_artifacts()) / name, Runtime("cpu", 1))
    assert isinstance(found, FullResolutionCodec)
    return found


def picture(width: int, height: int, seed: int = 3) -> np.ndarray:
    [crop] = crops(1, seed=seed)
    return np.asarray(crop.resize((width, height)))


@pytest.fixture(scope="module")
def coded(codec: FullResolutionCodec) -> tuple[np.ndarray, bytes]:
    shown = picture(40, 24)
    return shown, codec.encode([shown], [1.0])[0].stream


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_every_position_is_told_once_and_the_first_are_far_apart(rows: int, columns: int) -> None:
    order = order_of(BitGrid(rows, columns))
    np.testing.assert_array_equal(np.sort(order), np.arange(rows * columns))
    if min(rows, columns) >= 8:  # a quarter of the positions: some in each quarter of the picture
        first = order[: len(order) // 4]
        halves = (first // columns >= rows / 2) * 2 + (first % columns >= columns / 2)
        assert np.bincount(halves, minlength=4).min() > len(first) // 8


def test_a_square_of_a_power_of_two_is_told_as_thumbnails_are() -> None:
    from service.codec.recurrent.codec import bit_order

    np.testing.assert_array_equal(order_of(BitGrid(8, 8)), bit_order((1, 8, 8)))


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([16, 32]))
@settings(max_examples=200, deadline=None)
def test_what_is_too_large_is_shrunk_to_the_limit_and_no_further(
    w: int, h: int, block: int
) -> None:
    limit, size = 160_000, Size(w, h)
    small = shrunk_size(size, block, limit)
    assert BitGrid.over(small, block).pixels <= limit
    longest = max(small.width, small.height)
    if small != size:
        assert BitGrid.over(size.within(longest + 1), block).pixels > limit
        assert small == size.within(longest)


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (33, 17), (16, 16)])
def test_any_size_goes_there_and_back(codec: FullResolutionCodec, size: tuple[int, int]) -> None:
    width, height = size
    shown = picture(width, height)
    [encoded] = codec.encode([shown], [1.0])
    positions = -(-width // 16) * -(-height // 16)
    head = codec.header(encoded.stream)
    assert head.size == Size(width, height)
    assert len(encoded.stream) == head.length_bytes + ITERATIONS * POSITION_BYTES * positions
    [painted] = codec.decode([encoded.stream], size=8)
    assert painted.shape == shown.shape
    assert encoded.levels
    assert psnr(shown[None], painted[None])[0] == pytest.approx(encoded.levels[-1].psnr, abs=1e-3)
    assert encoded.levels[-1].psnr > 15


def test_every_cut_paints_and_iterations_are_whole_steps(codec: FullResolutionCodec, coded) -> None:
    shown, stream = coded
    head = codec.header(stream).length_bytes
    step = POSITION_BYTES * 6
    cuts = [*range(head, head + step + 1, 5), head + step, head + 3 * step + 7, len(stream)]
    for cut, painted in zip(cuts, codec.decode_cuts(stream, cuts), strict=True):
        np.testing.assert_array_equal(painted, codec.decode([stream[:cut]])[0])
        assert painted.shape == shown.shape
    worth = [level.psnr for level in codec.measure([shown], [stream])[0]]
    assert len(worth) == ITERATIONS
    assert worth[7] > worth[0] + 2
    [cut_levels] = codec.measure([shown], [stream[: head + step + 3]])
    assert [level.bytes for level in cut_levels] == [head + step, head + step + 3]


def test_a_stream_does_not_hang_on_its_neighbours(codec: FullResolutionCodec, coded) -> None:
    shown, stream = coded
    others = [picture(17, 50), picture(64, 16)]
    together = codec.encode([others[0], shown, others[1]], [1.0] * 3)
    assert together[1].stream == stream
    mixed = codec.decode([together[0].stream, stream[:60], together[2].stream[:90]])
    assert [m.shape[:2] for m in mixed] == [(50, 17), (24, 40), (16, 64)]
    np.testing.assert_array_equal(mixed[1], codec.decode([stream[:60]])[0])


def test_missing_bits_are_neither_plus_nor_minus(codec: FullResolutionCodec, coded) -> None:
    """The other two differ from what a cut paints, and from each other."""
    _, stream = coded
    head = codec.header(stream).length_bytes
    paints = [codec.decode([stream[:head] + tail])[0] for tail in (b"", b"\0" * 24, b"\xff" * 24)]
    assert len({p.tobytes() for p in paints}) == 3


@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 255))))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_mutation_paints_or_is_a_codec_error(
    codec: FullResolutionCodec, coded, cut, flips
) -> None:
    damaged = bytearray(coded[1])
    for place, change in flips:
        damaged[place] ^= change
    try:
        size = codec.header(bytes(damaged[:cut])).size
        assert size
        if size.pixels <= 64**2:
            [painted] = codec.decode([bytes(damaged[:cut])])
            assert Size.of(painted) == size
            codec.inspect(bytes(damaged[:cut]))
    except CodecError:
        pass


def test_a_header_over_the_limit_is_refused_before_any_work(codec: FullResolutionCodec) -> None:
    side = int(codec.pixel_limit**0.5) // 16 * 16
    for size in (Size(side + 16, side + 16), Size(4096, 4096), Size(16383, 17 * 16)):
        stream = header.pack(codec.wire_id, codec.version, size, 0)
        with pytest.raises(CodecError, match="at most"):
            codec.header(stream)
        with pytest.raises(CodecError, match="at most"):
            codec.decode([stream])
    assert codec.header(header.pack(codec.wire_id, codec.version, Size(side, side), 0))
    other_order = header.pack(codec.wire_id, codec.version, Size(16, 16), 1)
    with pytest.raises(CodecError, match="one order"):
        codec.header(other_order)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_limit_is_half_the_deadline_on_two_cores(name: str) -> None:
    found = load(name)
    most = found.coded_size(Size(4000, 3000))
    seconds = [found.cost(most) / 2e9, found.cost(most, found.maximum_bytes) / 2e9]
    assert max(seconds) <= 5
    assert seconds[0] > 4, "no smaller than it must be"
    assert found.cost(most, HEADER_BYTES) < found.cost(most, found.maximum_bytes) / 3
    small = found.cost(Size(16, 12), found.maximum_bytes, of=most)
    assert small == found.cost(most, found.maximum_bytes), "all of it is computed"


def test_the_cost_is_that_of_every_run_of_a_half(
    codec: FullResolutionCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three more before the first bits, on both sides, of which the states alone count."""
    seen: list[int] = []
    step = RecurrentStage.step

    def counted(stage: RecurrentStage, value: np.ndarray) -> np.ndarray:
        seen.append(value.shape[1])
        return step(stage, value)

    monkeypatch.setattr(RecurrentStage, "step", counted)
    shown = picture(16, 16)
    stream, size = codec.encode([shown], [1.0])[0].stream, Size.of(shown)
    runs = ITERATIONS + 3
    assert (seen.count(3), seen.count(32)) == (runs, runs), "channels of pictures and of bits"
    head, whole = codec.header(stream).length_bytes, codec.cost(size, len(stream))
    for length, iterations in ((head, 1), (head + 2, 1), (head + 5, 2), (len(stream), ITERATIONS)):
        seen.clear()
        codec.decode([stream[:length]])
        assert seen == [32] * (iterations + 3)
        padded = codec.minimum_bytes - head + length  # a cost is asked for before a header is read
        cost = codec.cost(size, padded)
        assert cost == pytest.approx(whole * len(seen) / runs, rel=0.001)
    assert codec.cost(size) > whole


def test_a_large_photo_is_shrunk(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    shutil.copytree(packaged_artifacts() / NAME, folder)
    manifest = json.loads((folder / artifact.MANIFEST).read_text())
    manifest["pixel_limit"] = 2048
    (folder / artifact.MANIFEST).write_text(json.dumps(manifest))
    small = load(NAME, tmp_path)
    shown = picture(120, 60)
    [encoded] = small.encode([shown], [2.0])
    assert small.header(encoded.stream).size == small.coded_size(Size(120, 60)) == Size(64, 32)
    assert small.memory(Size(4000, 2000)) == small.memory(Size(64, 32))
    assert small.measure([shown], [encoded.stream])[0] == encoded.levels
    for lacking in ("pixel_limit", "iterations"):
        broken = {key: value for key, value in manifest.items() if key != lacking}
        (folder / artifact.MANIFEST).write_text(json.dumps(broken))
        with pytest.raises(ArtifactError, match="pixel_limit"):
            load(NAME, tmp_path)


@pytest.mark.parametrize("name", SHIPPED)
def test_golden_streams_paint_as_they_always_did(name: str) -> None:
    found = load(name)
    painted = np.load(VECTORS / name / "pictures.npz")
    vectors = json.loads((VECTORS / name / "streams.json").read_text())["streams"]
    assert len(vectors) == 2
    for vector in vectors:
        stream = bytes.fromhex(vector["stream"])
        shown = found.decode_cuts(stream, vector["prefixes"])
        for length, one in zip(vector["prefixes"], shown, strict=True):
            expected = painted[f"{vector['name']}-{length}"]
            assert np.abs(one.astype(int) - expected).max() <= 1


def test_they_are_loaded_where_they_are_named_and_read_wherever_they_are() -> None:
    assert not set(usual(packaged_artifacts())) & set(WIRE_IDS.values())
    there = names_by_wire_id(packaged_artifacts(), ())
    assert {n: there[n] for n in WIRE_IDS if WIRE_IDS[n] in SHIPPED} == {
        n: name for n, name in WIRE_IDS.items() if name in SHIPPED
    }
    assert set(load_codecs(packaged_artifacts(), [NAME], Runtime("cpu", 1))) == {NAME}
