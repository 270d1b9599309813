"""What is shipped is what was trained: torch and ONNX Runtime agree on the free photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.export import graphs, parity, weights
from models.export.__main__ import ARTIFACTS, complexity
from models.zoo.catalogue import SYSTEMS
from models.zoo.conv_lstm import Config, Encoder
from service.codec import artifact, registry
from service.codec.recurrent import RecurrentCodec
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
    assert found.bits == 24 * codec.artifact.manifest.iterations * 128
    assert found.first_margin < 1e-4, "a bit differs that rounding does not explain"
    assert found.differing_pictures <= 1
    assert found.pixels <= 1


@pytest.mark.parametrize("name", SHIPPED)
def test_the_manifest_counts_its_weights_and_work(name: str) -> None:
    manifest = artifact.read(ARTIFACTS / name).manifest
    model = shipped(name)
    assert manifest.parameters == sum(p.numel() for p in model.parameters())
    assert manifest.kmac_per_pixel == complexity(model, manifest.iterations)
    size = sum((ARTIFACTS / name / g.file).stat().st_size for g in manifest.graphs.values())
    assert size < 1_500_000


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
