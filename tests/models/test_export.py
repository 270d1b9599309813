"""What is shipped is what was trained: torch and ONNX Runtime agree on the free photos."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from models.artifact_io import weights
from models.artifact_io.manifests import ARTIFACTS
from models.export import graphs, parity
from models.export.__main__ import complexity, export
from models.zoo import conv_residual, fc_lstm, fc_residual
from models.zoo.catalogue import SYSTEMS
from models.zoo.conv_lstm import Config, Encoder
from service.codec import artifact, registry
from service.codec.recurrent.codec import RecurrentCodec
from service.codec.registry import load_codec
from service.inference import Runtime
from tests.support.photos import crops

SHIPPED = sorted(SYSTEMS.keys() & set(registry.available(ARTIFACTS)))


def shipped(name: str) -> torch.nn.Module:
    system = SYSTEMS[name]
    model = system.build(system.config(artifact.read(ARTIFACTS / name).manifest.config))
    model.load_state_dict(weights.read(ARTIFACTS / name))
    return model


@pytest.mark.parametrize("name", SHIPPED)
def test_torch_and_onnx_runtime_say_the_same_bits_and_pixels(name: str) -> None:
    thumbnails = np.stack([np.asarray(c.resize((32, 32))) for c in crops(24, seed=6)])
    codec = RecurrentCodec(artifact.read(ARTIFACTS / name), Runtime("cpu", 1))
    found = parity.compare(shipped(name), codec, thumbnails)
    manifest = codec.artifact.manifest
    assert manifest.iterations is not None
    assert manifest.bits_shape is not None
    assert found.bits == 24 * manifest.iterations * math.prod(manifest.bits_shape)
    assert found.first_margin < 1e-4, "a bit differs that rounding does not explain"
    assert found.differing_pictures <= 1
    assert found.pixels <= 1


@pytest.mark.parametrize("name", SHIPPED)
def test_the_manifest_counts_its_weights_and_work(name: str) -> None:
    opened = artifact.read(ARTIFACTS / name)
    manifest, model = opened.manifest, shipped(name)
    assert manifest.parameters == sum(p.numel() for p in model.parameters())
    assert manifest.kmac_per_pixel == complexity(model, manifest.iterations)
    assert sum(len(opened.network(role)) for role in manifest.graphs) < 1_500_000


TINY = {
    "conv-lstm": Config((4, 6, 8), iterations=3),
    "fc-shared": fc_residual.Config(6, stages=1, iterations=3),
    "fc-distinct": fc_residual.Config(6, stages=2, iterations=2),
    "fc-lstm": fc_lstm.Config(6, iterations=3),
    "conv-shared": conv_residual.Config((4, 5, 6), stages=1, iterations=3),
    "conv-distinct": conv_residual.Config((4, 5, 6), stages=2, iterations=2),
    "conv-ae-64": conv_residual.Config((4, 5, 6), stages=1, bits=8, iterations=1),
    "conv-ae-128": conv_residual.Config((4, 5, 6), stages=1, bits=16, iterations=1),
}


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_every_system_is_served_as_torch_runs_it(name: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    system, config = SYSTEMS[name], TINY[name]
    model = system.build(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) / 10)  # biases of their own, no two alike
    graphs.round_to_half(model)
    export(name, model, config, tmp_path, 1, ())
    codec = load_codec(tmp_path, Runtime("cpu", 1))
    assert isinstance(codec, RecurrentCodec)
    assert (codec.name, codec.wire_id) == (name, system.wire_id)
    thumbnails = np.stack([np.asarray(c.resize((32, 32))) for c in crops(24, seed=6)])
    found = parity.compare(model, codec, thumbnails)
    assert found.bits == 24 * config.iterations * math.prod(config.bits_shape)
    assert found.first_margin < 1e-4, "a bit differs that rounding does not explain"
    assert found.pixels <= 1
    again = weights.read(tmp_path)
    assert again.keys() == model.state_dict().keys()
    for key, value in model.state_dict().items():
        assert torch.equal(again[key], value), f"{key} is another one in the graph"


def test_an_exported_half_takes_any_batch_and_keeps_float16_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    encoder = Encoder(Config((4, 6, 8))).eval()
    graphs.round_to_half(encoder)
    exported = graphs.export_half(
        encoder,
        torch.zeros(2, 3, 32, 32),
        encoder.start(2),
        ("residual", "bits"),
        tmp_path / "encoder.onnx",
    )
    session = Runtime("cpu", 1).session(tmp_path / exported.file)
    for batch in (1, 5):
        x, states = torch.randn(batch, 3, 32, 32), encoder.start(batch)
        given = {"residual": x, **{f"state_{n}": s for n, s in enumerate(states)}}
        found = session.run({key: value.numpy() for key, value in given.items()})
        with torch.no_grad():
            bits, following = encoder(x, states)
        np.testing.assert_array_equal(found["bits"], bits.numpy())
        np.testing.assert_allclose(found["next_3"], following[3].numpy(), atol=1e-5)
    weights_in_full = sum(p.numel() * 4 for p in encoder.parameters())
    assert (tmp_path / exported.file).stat().st_size < 0.75 * weights_in_full + 8000
