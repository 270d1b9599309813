"""The codec with an importance map: any size, any cut, any bytes; golden streams."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.codec.entropy.range_coder import MARGIN
from service.codec.geometry import Size
from service.codec.importance import tables, volume_coder
from service.codec.importance.codec import LEVELS, ImportanceMapCodec
from service.codec.importance.volume_coder import PRICE, READ, WRITE
from service.codec.photo import header
from service.codec.registry import load_newest, usual
from service.errors import ArtifactError, CodecError
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import free_photos

VECTORS = Path(__file__).parents[3] / "vectors" / "importance-map"
MUTATE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def codec() -> ImportanceMapCodec:
    found = load_newest(packaged_artifacts(), ["importance-map"], Runtime("cpu", 2))
    assert isinstance(found["importance-map"], ImportanceMapCodec)
    return found["importance-map"]


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    largest = max(free_photos().values(), key=lambda one: one.size)
    return np.ascontiguousarray(largest[:187, :235])


@pytest.fixture(scope="module")
def stream(codec: ImportanceMapCodec, picture: np.ndarray) -> bytes:
    return codec.stream(picture)


def scanned(
    codec: ImportanceMapCodec, mode: int, volume: np.ndarray, data: np.ndarray, scan=None
) -> tuple[int, float]:
    """Result of a scan, and the bits of all channels."""
    stored, price = codec.stored, np.zeros(codec.channels)
    cuts = np.array([len(data)])
    result = (scan or volume_coder.scan)(
        mode,
        stored.zero,
        len(stored.centres) - 1,
        volume_coder.starts(codec.channels),
        tables.models_of(stored),
        tables.fixed_of(stored),
        volume,
        data,
        cuts,
        np.zeros(1, np.int64),
        price,
        np.zeros((1, 1, 2), np.int64),
    )
    return result, price.sum()


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (7, 5), (8, 9), (161, 163)])
def test_any_size_goes_there_and_back_at_any_cut(codec, size: tuple[int, int]) -> None:
    y, x = np.indices(size)
    picture = np.abs(255 - np.stack((x * 7, y * 5, x + y), 2) * 2 % 512).astype(np.uint8)
    [encoded] = codec.encode([picture], [1.0])
    assert codec.header(encoded.stream).size == Size.of(picture)
    cuts = range(codec.header(encoded.stream).length_bytes, min(len(encoded.stream), 40) + 1)
    for cut, shown in zip(cuts, codec.decode_cuts(encoded.stream, list(cuts)), strict=True):
        assert shown.shape == picture.shape
        assert np.array_equal(shown, codec.decode([encoded.stream[:cut]])[0])


@pytest.mark.parametrize("spread", [0, 1, 40])
def test_any_volume_is_read_as_it_was_written(codec, spread: int) -> None:
    generator = np.random.default_rng(spread)
    volume = volume_coder.empty(codec.channels, 5, 7)
    last = len(codec.stored.centres) - 1
    drawn = np.rint(generator.normal(0, spread / 10, (codec.channels, 5, 7))).astype(int)
    volume_coder.inside(volume)[:] = drawn.clip(-codec.stored.zero, last - codec.stored.zero)
    data = np.zeros(3 * drawn.size + MARGIN, np.uint8)
    length, _ = scanned(codec, WRITE, volume, data)
    price = scanned(codec, PRICE, volume, data)[1]
    assert 8 * length == pytest.approx(price, rel=0.01, abs=16)
    plain = data.copy()
    assert scanned(codec, WRITE, volume, plain, volume_coder.scan.py_func)[0] == length
    assert np.array_equal(plain, data)
    found = volume_coder.empty(codec.channels, 5, 7)
    scanned(codec, READ, found, data[:length])
    assert np.array_equal(found, volume)


def test_every_cut_decides_a_prefix_of_the_symbols(codec, stream: bytes) -> None:
    start = codec.header(stream).length_bytes
    cuts = [*range(start, len(stream), 37), len(stream)]
    symbols, decided = codec.parse(stream, cuts)
    assert decided == sorted(decided)
    assert decided[-1] == symbols.size
    for cut, count in zip(cuts[::17], decided[::17], strict=True):
        alone, [same] = codec.parse(stream[:cut], [cut])
        assert same == count
        assert np.array_equal(alone.ravel()[:count], symbols.ravel()[:count])
    facts = codec.inspect(stream[: cuts[len(cuts) // 2]]).facts
    assert facts["channels"] == decided[len(cuts) // 2] // symbols[0].size


def test_levels_are_what_prefixes_are_worth(codec, picture, stream: bytes) -> None:
    [levels] = codec.measure([picture], [stream])
    assert len(levels) == LEVELS
    assert levels[-1].bytes == len(stream)
    assert [one.psnr for one in levels] == sorted(one.psnr for one in levels)
    assert levels[-1].msssim is not None
    assert levels[-1].msssim > 0.9


def test_the_limit_is_half_the_deadline_on_two_cores(codec) -> None:
    most = codec.coded_size(Size(4000, 3000))
    seconds = codec.cost(most) / 2e9
    assert 4.5 < seconds <= 5
    assert codec.cost(most, codec.maximum_bytes) < codec.cost(most)


def test_a_large_photo_is_shrunk_and_a_large_header_refused(codec) -> None:
    small = replaced_limit(codec, 64 * 48)
    size = Size(400, 300)
    coded = small.coded_size(size)
    assert coded == Size(64, 48)
    stream = small.stream(np.full((300, 400, 3), 7, np.uint8))
    assert small.header(stream).size == coded
    assert small.cost(size) == small.cost(coded)
    assert small.memory(size) == small.memory(coded)
    assert small.measured_size(size) == coded
    for sides in (Size(65, 48), Size(4096, 4096)):
        with pytest.raises(CodecError, match="3072 at most"):
            small.header(header.pack(24, 1, sides, 0) + b"\x01" * 40)


def replaced_limit(codec: ImportanceMapCodec, pixels: int) -> ImportanceMapCodec:
    made = object.__new__(ImportanceMapCodec)
    made.__dict__.update(codec.__dict__, pixel_limit=pixels)
    return made


@MUTATE
@given(st.data())
def test_any_mutation_paints_or_is_a_codec_error(codec, stream, data: st.DataObject) -> None:
    changed = bytearray(stream[: data.draw(st.integers(0, len(stream)))])
    for _ in range(data.draw(st.integers(0, 6))):
        if changed:
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        size = codec.header(bytes(changed)).size
    except CodecError:
        with pytest.raises(CodecError):
            codec.decode([bytes(changed)])
        return
    assert size is not None
    if size.pixels < 50_000:
        assert codec.decode([bytes(changed)])[0].shape == (size.height, size.width, 3)


def test_it_is_loaded_where_it_is_named_and_not_with_all() -> None:
    assert "importance-map" not in usual(packaged_artifacts())


def test_damaged_tables_are_refused(codec, tmp_path: Path) -> None:
    path = tmp_path / "tables.npz"
    for damage in (
        {"centres": codec.stored.centres[::-1].copy()},
        {"centres": codec.stored.centres + np.float32(9)},
        {"seen": codec.stored.seen + len(tables.SEEN)},
        {"squash": codec.stored.squash[::-1].copy()},
        {"missing": codec.stored.missing[:-1]},
        {"logits": codec.stored.logits.astype(np.int32)},
    ):
        replace(codec.stored, **damage).write(path)
        with pytest.raises(ArtifactError):
            tables.read(path)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ArtifactError):
        tables.read(path)


@pytest.mark.parametrize("number", range(6))
def test_golden_streams_paint_as_they_always_did(codec, number: int) -> None:
    vector = json.loads((VECTORS / "streams.json").read_text())["streams"][number]
    painted = np.load(VECTORS / "pictures.npz")
    stream = bytes.fromhex(vector["stream"])
    for length in vector["prefixes"]:
        (picture,) = codec.decode([stream[:length]])
        expected = painted[f"{vector['name']}-{length}"]
        assert np.abs(picture.astype(int) - expected).max() <= 1
        assert codec.inspect(stream[:length]).facts["symbols"] == vector["symbols"][str(length)]
