"""The embedded codec around untrained networks: what they are given, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from service.codec import artifact
from service.codec.header import HEADER_BYTES, truncate
from service.codec.interface import measured
from service.codec.prefixel import bitplane_coder
from service.codec.prefixel.codec import LEVELS_BYTES, EmbeddedCodec
from service.codec.prefixel.reconstruction import bands, closed_form, precision, to_rgb
from service.codec.registry import load_codec
from service.errors import ArtifactError
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from tests.support.networks import analysis, synthesis, untrained
from tests.support.photos import crops


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("artifacts") / "prefixel"
    return untrained(path, analysis=analysis(), synthesis=synthesis())


def load(folder: Path, threads: int = 1) -> EmbeddedCodec:
    codec = load_codec(folder, Runtime("cpu", threads))
    assert isinstance(codec, EmbeddedCodec)
    return codec


@pytest.fixture(scope="module")
def codec(folder: Path) -> EmbeddedCodec:
    return load(folder)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(64, seed=6)])


@pytest.fixture(scope="module")
def streams(codec: EmbeddedCodec, pictures: np.ndarray) -> list[bytes]:
    return [e.stream for e in codec.encode(pictures, [1.0] * len(pictures))]


def test_the_synthesis_is_given_the_closed_form_and_what_is_known(codec, streams) -> None:
    cuts = [truncate(stream, 2 + 3 * n) for n, stream in enumerate(streams)]
    known, _ = bitplane_coder.decode(codec.packed, [cut[HEADER_BYTES:] for cut in cuts])
    given = {"painted": closed_form(codec.dequantiser, known), "known": precision(known)}
    expected = to_rgb(codec.network("synthesis").run(given)["picture"])
    plain = to_rgb(given["painted"])
    np.testing.assert_array_equal(np.stack(codec.decode(cuts)), expected)
    assert np.abs(expected.astype(int) - plain).mean() > 1


def test_precision_is_the_mean_plane_of_a_band(codec, streams) -> None:
    known, _ = bitplane_coder.decode(
        codec.packed, [stream[HEADER_BYTES:64] for stream in streams[:5]]
    )
    found = precision(known)
    assert found.shape == (5, 18)
    for channel in range(3):
        for band, (low, high) in enumerate([(0, 1), (2, 3), (4, 6), (7, 11), (12, 19), (20, 62)]):
            at = [
                (channel * 32 + row) * 32 + column
                for row in range(32)
                for column in range(32)
                if low <= row + column <= high
            ]
            number = 6 * channel + band
            np.testing.assert_array_equal(np.flatnonzero(bands() == number), at)
            mean = known.plane[:, at].astype(float).mean(axis=1)
            np.testing.assert_allclose(found[:, number], mean, rtol=1e-6)


def test_threads_and_batches_move_no_symbol_and_hardly_a_sample(folder, codec, streams) -> None:
    """One and two threads, batches of 1 and of 64: the parse is before the network."""
    cuts = [stream[:64] for stream in streams]
    expected = np.stack(codec.decode(cuts)).astype(int)
    symbols = [codec.inspect(cut).facts["symbols"] for cut in cuts]
    for threads in (1, 2):
        other = load(folder, threads)
        assert np.abs(np.stack(other.decode(cuts)) - expected).max() <= 1
        alone = np.stack([other.decode([cut])[0] for cut in cuts[:8]])
        assert np.abs(alone - expected[:8]).max() <= 1
        assert [other.inspect(cut).facts["symbols"] for cut in cuts] == symbols
        known, _ = bitplane_coder.decode(other.packed, [cut[HEADER_BYTES:] for cut in cuts])
        same, _ = bitplane_coder.decode(codec.packed, [cut[HEADER_BYTES:] for cut in cuts])
        np.testing.assert_array_equal(known.cells, same.cells)
        np.testing.assert_array_equal(known.plane, same.plane)


def test_streams_hold_what_the_analysis_made(codec, pictures, streams) -> None:
    given = codec.network("analysis").run({"picture": pictures.astype(np.float32)})["analysed"]
    known, _ = bitplane_coder.decode(codec.packed, [stream[HEADER_BYTES:] for stream in streams])
    held = to_rgb(closed_form(codec.dequantiser, known))
    analysed = np.rint(given).clip(0, 255).astype(np.uint8)
    assert psnr(analysed, held).mean() > psnr(pictures, held).mean() + 1


def test_levels_are_of_what_the_synthesis_paints(codec, pictures, streams) -> None:
    encoded = measured(codec, pictures[:6], codec.encode(pictures[:6], [1.0] * 6))
    for one, stream, picture in zip(encoded, streams, pictures, strict=False):
        assert one.stream == stream
        ends = sorted({min(length, len(stream)) for length in LEVELS_BYTES})
        assert [level.bytes for level in one.levels] == ends
        shown = np.stack(codec.decode([stream[:end] for end in ends]))
        same = np.stack([picture] * len(ends))
        np.testing.assert_allclose(
            [level.ssim for level in one.levels], block_ssim(same, shown), atol=2e-3
        )
        np.testing.assert_allclose(
            [level.psnr for level in one.levels], psnr(same, shown), atol=0.05
        )


def test_a_graph_that_the_manifest_names_must_be_there(folder: Path, tmp_path: Path) -> None:
    copied = untrained(tmp_path / "prefixel", synthesis=synthesis())
    (copied / "synthesis.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"synthesis\.onnx"):
        load(copied)


def test_graphs_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="belong"):
        load(untrained(tmp_path / "known", synthesis=synthesis(known=17)))
    with pytest.raises(ArtifactError, match="belong"):
        load(untrained(tmp_path / "swapped", synthesis=analysis()))
    with pytest.raises(ArtifactError, match="no graph of the family is encoder"):
        load(untrained(tmp_path / "foreign", encoder=analysis()))


def test_an_artifact_without_networks_says_so(tmp_path: Path) -> None:
    codec = load(untrained(tmp_path / "prefixel"))
    manifest = json.loads((tmp_path / "prefixel" / artifact.MANIFEST).read_text())
    assert manifest["graphs"] == {}
    with pytest.raises(KeyError):
        codec.network("synthesis")
