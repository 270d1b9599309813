"""The networks around the embedded codec, from the command line to the service."""

from __future__ import annotations

import csv
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from models.artifact_io import weights as stored_weights
from models.export import graphs
from models.prefixel import __main__ as command
from models.prefixel import export as exporting
from models.prefixel.gradient import Gradient
from models.prefixel.networks import CONFIGS, Config, Networks, Shape
from service.codec.prefixel import encoder_rdo
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.prefixel.rate_model import Truncator
from service.codec.prefixel.reconstruction import PRECISIONS, from_cells
from service.codec.registry import load_codec
from service.inference import Runtime
from service.quality.psnr import psnr
from tests.models.prefixel.small import TINY, run, scrambled, weights
from tests.support.photos import crops


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``data`` and, after both commands, ``run`` and ``artifact``."""
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "data").mkdir()
    for n, crop in enumerate(crops(20, seed=2)):
        crop.resize((64, 64)).save(folder / "data" / f"{n:02}.png")
    held = np.stack([np.asarray(c.resize((32, 32))) for c in crops(4, seed=4)])
    tuned = np.repeat(held[:1], exporting.TUNING, axis=0)
    np.savez(folder / "data" / "x-validation.npz", rgb=np.concatenate([tuned, held]))
    data, out = str(folder / "data"), str(folder / "run")
    sizes = ["--samples", "24", "--batch", "8", "--warmup", "8", "--recount-thumbnails", "96"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, "tiny", TINY)
        more = ["--config", "tiny", "--no-bf16", "--threads", "1", "--rate", "0.004"]
        patch.setattr(sys, "argv", ["x", "--data", data, "--out", out, *sizes, *more])
        command.main()
        artifact = str(folder / "artifact")
        patch.setattr(sys, "argv", ["x", "--run", out, "--data", data, "--out", artifact])
        exporting.main()
    return folder


@pytest.fixture(scope="module")
def codec(trained: Path) -> EmbeddedCodec:
    found = load_codec(trained / "artifact", Runtime("cpu", 1))
    assert isinstance(found, EmbeddedCodec)
    return found


@pytest.fixture(scope="module")
def shipped(trained: Path) -> Networks:
    """The networks of the run with the weights that graphs hold."""
    model = Networks(TINY)
    state = torch.load(trained / "run" / "checkpoint.pt", weights_only=True)
    model.load_state_dict(state["averaged"])
    graphs.round_to_half(model)
    exporting.round_kernels(model.synthesis)
    return model.eval()


def test_the_command_trains_logs_and_measures(trained: Path) -> None:
    with (trained / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["samples"]) for row in rows] == [0, 24]
    for row in rows:
        assert 0.2 < float(row["ssim_64"]) < float(row["ssim_256"]) < 1
        assert 10 < float(row["psnr_64"]) < float(row["psnr_256"]) < 50
    assert (trained / "run" / "curve.svg").stat().st_size > 1000


def test_weights_of_an_artifact_are_read_back(trained, shipped: Networks, tmp_path: Path) -> None:
    for name, half in shipped.named_children():
        found = stored_weights.read_module(trained / "artifact" / f"{name}.onnx")
        expected = half.state_dict()
        assert found.keys() == expected.keys()
        for key, weight in expected.items():
            assert torch.equal(found[key], weight), key
    one = run(tmp_path)
    one.take_over(trained / "artifact")
    assert torch.equal(weights(one), torch.cat([p.flatten() for p in shipped.parameters()]))


@torch.no_grad()
def test_onnx_runtime_computes_what_torch_does(codec, shipped, thumbnails: np.ndarray) -> None:
    assert codec.artifact.manifest.graphs.keys() == {"synthesis", "gradient", "analysis"}
    assert max(codec.artifact.manifest.parity.values()) < 1e-3
    photo = torch.from_numpy(thumbnails).float()
    painted = photo.roll(1, 1)
    known = torch.rand(len(photo), PRECISIONS) * 6
    for batch in (1, len(photo)):
        given = {"painted": painted[:batch].numpy(), "known": known[:batch].numpy()}
        found = codec.network("synthesis").run(given)["picture"]
        expected = shipped.painted(painted[:batch], known[:batch])
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)
        assert float((expected - painted[:batch]).abs().max()) > 0.1
        found = codec.network("analysis").run({"picture": thumbnails[:batch].astype(np.float32)})
        expected = shipped.analysed(photo[:batch])
        np.testing.assert_allclose(found["analysed"], expected.numpy(), atol=1e-3)
        assert float((expected - photo[:batch]).abs().max()) > 0.1
        weight = torch.linspace(30, 90, batch)
        given |= {"target": photo[:batch].numpy(), "weight": weight.numpy()}
        found = codec.network("gradient").run(given)
        judge = Gradient(shipped.synthesis)
        distortion, slope = judge(painted[:batch], known[:batch], photo[:batch], weight)
        np.testing.assert_allclose(found["distortion"], distortion.numpy(), rtol=1e-3)
        off = np.linalg.norm(found["slope"] - slope.numpy())
        assert off < 1e-4 * float(slope.norm())


def test_the_artifact_encodes_and_decodes_at_every_effort(codec, thumbnails: np.ndarray) -> None:
    aspects = [1.0] * len(thumbnails)
    streams = {
        effort: [e.stream for e in codec.encode(thumbnails, aspects, effort)]
        for effort in ("default", "high", "best")
    }
    assert len({tuple(some) for some in streams.values()}) == 3
    for some in streams.values():
        shown = np.stack(codec.decode([stream[:256] for stream in some]))
        coarse = np.stack(codec.decode([stream[:32] for stream in some]))
        assert shown.shape == thumbnails.shape
        assert psnr(thumbnails, shown).mean() > psnr(thumbnails, coarse).mean() + 3 > 18


def test_the_best_effort_is_best_in_its_own_measure(codec, thumbnails: np.ndarray) -> None:
    gradient = codec.network("gradient")
    judge = encoder_rdo.RateDistortionSearch(codec.stored, gradient)
    target = np.repeat(
        thumbnails.astype(np.float32), len(encoder_rdo.OPERATING_POINTS.payloads), axis=0
    )
    losses = [
        judge._measured(
            codec.values(thumbnails, effort).astype(np.float32),
            target,
            encoder_rdo.OPERATING_POINTS,
            gradient,
        )[0]
        for effort in ("default", "best")
    ]
    assert (losses[1] <= losses[0] + 1e-5).all()
    assert losses[1].mean() < 0.99 * losses[0].mean()


def test_a_search_sees_the_prefixes_that_the_codec_shows(codec, thumbnails: np.ndarray) -> None:
    """D of what ``decode`` makes of real prefixes is D of the ideal cuts, in the mean."""
    values = codec.values(thumbnails, "default")
    streams = [e.stream for e in codec.encode(thumbnails, [1.0] * len(thumbnails), "default")]
    cut = Truncator(codec.stored).cut(values.astype(np.float32), np.full((len(values), 1), 94.0))
    assert (cut.cells != 0).any()
    painted = from_cells(codec.dequantiser, cut.cells[:, 0])
    ideal = codec.synthesised(painted, cut.known[:, 0]).round().clip(0, 255)
    real = np.stack(codec.decode([stream[:96] for stream in streams]))
    worth = [psnr(thumbnails, np.asarray(p, np.uint8)).mean() for p in (ideal, real)]
    assert worth[0] == pytest.approx(worth[1], abs=0.1)


def test_networks_without_an_analysis_are_exported_without_one(tmp_path: Path) -> None:
    model = Networks(Config(Shape(4, 1), None))
    before = deepcopy(model)
    assert model.analysis is None
    scrambled(model.synthesis)
    assert exporting.complexity(model).keys() == {"decode"}
    photo = torch.rand(1, 32, 32, 3) * 255
    assert torch.equal(model.analysed(photo), photo)
    assert torch.equal(before.painted(photo, torch.zeros(1, PRECISIONS)), photo)
