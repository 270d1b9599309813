"""Artifacts: every hash holds, and what does not hold is said."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from service.codec import artifact, planes
from service.codec.registry import available, folders, load_codec, load_codecs, newest
from service.errors import ArtifactError, ConfigurationError
from service.inference import Runtime
from service.settings import packaged_artifacts

SHIPPED = [folder for mine in folders(packaged_artifacts()).values() for folder in mine]
FORMAT = Path(artifact.__file__).with_name("FORMAT.md")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_every_shipped_artifact_is_what_its_manifest_says(folder: Path) -> None:
    found = artifact.read(folder)
    manifest = found.manifest
    assert found.manifest.scores
    on_disk = {path.name.removesuffix(planes.SUFFIX) for path in found.folder.iterdir()}
    assert len(on_disk) == len(list(found.folder.iterdir())), "one is there twice"
    assert on_disk == {part.file for part in artifact.files(manifest)} | {artifact.MANIFEST}
    latest = newest(packaged_artifacts(), manifest.name) == folder
    assert folder.name == manifest.name + ("" if latest else f".{manifest.version}")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_specification_lists_what_ships_and_no_draft_ships(folder: Path) -> None:
    """Version 0 is a draft's: whoever reads FORMAT.md would refuse its streams."""
    rows = re.findall(
        r"^\| (\d+) \| `([a-z0-9-]+)` \| ([\d, ]+) \|", FORMAT.read_text(), re.MULTILINE
    )
    listed = {codec: (int(wire_id), versions.split(", ")) for wire_id, codec, versions in rows}
    manifest = artifact.read_manifest(folder)
    wire_id, versions = listed[manifest.name]
    assert manifest.wire_id == wire_id
    assert str(manifest.version) in versions
    assert "0" not in versions


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_what_was_trained_says_on_which_pixels(folder: Path) -> None:
    manifest = artifact.read_manifest(folder)
    if manifest.family in ("recurrent", "full-resolution", "importance-map"):
        assert manifest.training
        for training in manifest.training:
            assert re.fullmatch("[0-9a-f]{64}", training.data_sha256)


def test_all_artifacts_together_stay_small() -> None:
    files = [path for path in packaged_artifacts().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 20_000_000


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packaged_artifacts() / "conv-lstm", tmp_path / "conv-lstm"))


def test_a_damaged_graph_is_refused(copied: Path) -> None:
    packed = copied / "decoder.onnx.planes"
    graph, whole = artifact.read(copied).network("decoder"), packed.read_bytes()
    for damaged in (whole[:-9], b"", bytes(99)):
        packed.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"decoder\.onnx\.planes cannot be read"):
            artifact.read(copied)
    packed.write_bytes(planes.pack(graph + b"\0"))
    with pytest.raises(ArtifactError, match=r"decoder\.onnx is not the file"):
        artifact.read(copied)


def test_a_graph_may_lie_there_as_it_is(copied: Path) -> None:
    packed = artifact.read(copied)
    for role, graph in packed.manifest.graphs.items():
        (copied / graph.file).write_bytes(packed.network(role))
        (copied / f"{graph.file}.planes").unlink()
    plain = artifact.read(copied)
    assert plain.sha256 == packed.sha256
    load_codec(copied, Runtime("cpu", 1))
    with (copied / "encoder.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ArtifactError, match=r"encoder\.onnx is not the file"):
        artifact.read(copied)


def test_a_missing_graph_is_refused(copied: Path) -> None:
    (copied / "encoder.onnx.planes").unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        artifact.read(copied)


@pytest.mark.parametrize("length", [0, 1, 2, 999])
def test_any_bytes_are_packed_and_unpacked(length: int) -> None:
    graph = np.random.default_rng(length).bytes(length)
    assert planes.unpack(planes.pack(graph)) == graph


def test_weights_in_half_are_smaller_in_planes() -> None:
    graph = artifact.read(packaged_artifacts() / "conv-shared").network("encoder")
    assert len(planes.pack(graph)) < 0.96 * len(zlib.compress(graph, 9))


@pytest.mark.parametrize(
    "change",
    [{"wire_id": 0}, {"version": 9}, {"unknown": 1}, {"graphs": {"encoder": {"file": "../x"}}}],
)
def test_a_manifest_that_does_not_hold_is_refused(copied: Path, change: dict[str, object]) -> None:
    path = copied / artifact.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError, match="not a manifest"):
        artifact.read(copied)


def test_an_unknown_family_is_refused(copied: Path) -> None:
    path = copied / artifact.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"family": "other"}))
    with pytest.raises(ArtifactError, match="family"):
        load_codec(copied, Runtime("cpu", 1))


def test_two_codecs_of_one_wire_id_are_refused(tmp_path: Path) -> None:
    for name in ("conv-lstm", "twin"):
        folder = shutil.copytree(packaged_artifacts() / "conv-lstm", tmp_path / name)
        path = Path(folder) / artifact.MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | {"name": name}))
    with pytest.raises(ArtifactError, match="share the wire id"):
        load_codecs(tmp_path, (), Runtime("cpu", 1))


def test_a_codec_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'nonesuch'"):
        load_codecs(packaged_artifacts(), ("nonesuch",), Runtime("cpu", 1))


def test_a_folder_without_artifacts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no artifact"):
        available(tmp_path)
