"""Two versions of a codec side by side: the newest encodes, both decode, on real artifacts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from service.codec import artifact
from service.codec.geometry import Size
from service.codec.header import parse_header
from service.codec.interface import Codec
from service.codec.registry import available, load_codecs, load_newest, names_by_wire_id, newest
from service.codec.versions import VersionedCodec, every_version
from service.errors import ArtifactError, CodecError
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import crops
from tests.support.versions import two_versions

SIZES = {"prefixel": [(32, 32)] * 4, "photo": [(40, 24), (33, 33), (7, 5), (61, 45)]}
ASPECTS = [1.0, 1.5, 0.5, 1.0]


@pytest.fixture(scope="module", params=SIZES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def artifacts(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_versions(name, tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def both(name: str, artifacts: Path) -> VersionedCodec:
    codec = load_codecs(artifacts, (), Runtime("cpu", 1))[name]
    assert isinstance(codec, VersionedCodec)
    return codec


@pytest.fixture(scope="module")
def pictures(name: str) -> list[np.ndarray]:
    drawn = zip(crops(4, seed=7), SIZES[name], strict=True)
    return [np.asarray(crop.resize(size)) for crop, size in drawn]


def streams_of(codec: Codec, pictures: list[np.ndarray]) -> list[bytes]:
    return [one.stream for one in codec.encode(pictures, ASPECTS)]


def test_the_newest_encodes_and_all_decode_in_one_batch(
    both: VersionedCodec, pictures: list[np.ndarray]
) -> None:
    old, new = both.versions
    assert (both.version, both.readable_versions) == (new.version, {old.version, new.version})
    assert both.encode(pictures, ASPECTS) == new.encode(pictures, ASPECTS)
    first, second = streams_of(old, pictures), streams_of(new, pictures)
    mixed = [first[0], second[1], first[2], second[3], second[0]]
    painted = both.decode(mixed)
    owners = [old, new, old, new, new]
    for stream, shown, owner in zip(mixed, painted, owners, strict=True):
        assert both.header(stream) == owner.header(stream)
        assert both.inspect(stream) == owner.inspect(stream)
        assert (shown == owner.decode([stream])[0]).all()
        [cut] = both.decode_cuts(stream, [len(stream)])
        assert np.abs(cut.astype(int) - shown).max() <= 1
    shown_of = [pictures[0], pictures[1], pictures[2], pictures[3], pictures[0]]
    levels = both.measure(shown_of, mixed)
    assert levels[:2] == [
        old.measure(pictures[:1], first[:1])[0],
        new.measure(pictures[1:2], second[1:2])[0],
    ]
    assert [one[-1].bytes for one in levels] == [len(stream) for stream in mixed]


def test_one_of_the_two_is_loaded_where_nothing_old_is_read(
    name: str, artifacts: Path, both: VersionedCodec
) -> None:
    [codec] = load_newest(artifacts, [name], Runtime("cpu", 1)).values()
    assert codec.version == both.version
    assert every_version(codec) == (codec,)
    assert available(artifacts) == (name,)
    assert names_by_wire_id(artifacts, ()) == {both.wire_id: name}
    assert newest(artifacts, name).name == name


def test_bounds_are_those_of_all(both: VersionedCodec) -> None:
    size = Size(64, 64)
    for codec in every_version(both):
        assert both.minimum_bytes >= codec.minimum_bytes
        assert both.maximum_bytes >= codec.maximum_bytes
        assert both.cost(size, 100) >= codec.cost(size, 100)
    assert both.cost(size) == both.versions[-1].cost(size)
    assert both.memory(size) == both.versions[-1].memory(size)


def test_what_no_version_reads_is_refused(both: VersionedCodec, pictures: list[np.ndarray]) -> None:
    [stream] = streams_of(both, pictures)[:1]
    unknown = next(n for n in range(8) if n not in both.readable_versions)
    for first in (stream[0] & 0xF8 | unknown, stream[0] ^ 0x80):
        wrong = bytes((first, *stream[1:]))
        for read in (both.header, both.inspect, lambda one: both.decode([one])):
            with pytest.raises(CodecError):
                read(wrong)
    assert parse_header(stream).version == both.version


def changed(folder: Path, **members: object) -> None:
    path = folder / artifact.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | members))


def test_one_version_twice_is_refused(tmp_path: Path) -> None:
    for name in ("prefixel", "prefixel.1"):
        shutil.copytree(packaged_artifacts() / "prefixel", tmp_path / name)
    with pytest.raises(ArtifactError, match="both version"):
        load_codecs(tmp_path, (), Runtime("cpu", 1))


def test_versions_with_unlike_wire_ids_are_refused(tmp_path: Path) -> None:
    changed(two_versions("prefixel", tmp_path) / "prefixel", wire_id=30)
    with pytest.raises(ArtifactError, match="not one codec"):
        load_codecs(tmp_path, (), Runtime("cpu", 1))
