"""What ships is the network; exact tables code what the context model would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.mentzer import exact, export, runs
from models.mentzer.session import history_of
from models.mentzer.timed import Options
from models.training import kept
from models.zoo.mentzer2018.autoencoder import BatchNorm
from tests.models.mentzer.test_learning import TINY, Codec, pictures


def network() -> Codec:
    """One whose statistics and learned scales are not those of new weights."""
    torch.manual_seed(5)
    model = Codec(TINY)
    for layer in model.modules():
        if isinstance(layer, BatchNorm):
            torch.nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return model.eval()


@torch.no_grad()
def test_folded_convolutions_do_what_convolution_and_normalisation_did() -> None:
    model = network()
    shipped = export.in_bytes(model)
    assert not [layer for layer in shipped.encoder.modules() if isinstance(layer, BatchNorm)]
    photo = torch.rand(1, 3, 64, 48) * 255
    values = torch.randn(1, TINY.bottleneck, 8, 6)
    for half, given in (("encoder", photo), ("decoder", values)):
        due, found = getattr(model, half)(given), getattr(shipped, half)(given)
        assert float((due - found).abs().mean()) < 0.03 * float(due.std())


def test_tables_learn_what_repeats_and_pay_for_what_does_not() -> None:
    generator = np.random.default_rng(3)
    centres = np.array([-2, -1, 0, 1, 2, 3], np.float32)
    noise = generator.integers(-2, 4, (8, 6, 9, 9)).astype(np.int8)
    masked = np.where(np.arange(6)[:, None, None] < 2, noise, 0).astype(np.int8)
    blank = exact.start(centres, np.zeros(6, np.float32))
    assert exact.bits(blank, noise[0]).sum() > noise[0].size * 2.4
    counted = exact.counted(blank, list(masked[:-1]))
    bits = exact.bits(counted, masked[-1])
    assert bits[:2].mean() == pytest.approx(81 * np.log2(6), rel=0.15)
    assert bits[2:].max() < 10


@torch.no_grad()
def test_means_stand_for_what_a_prefix_lacks() -> None:
    model, tiles = network(), pictures(2, 64)
    stored = exact.tables_of(model, tiles, 0)
    coded = model.code(model.encoder(export.measuring.planes(tiles)))
    assert stored.missing == pytest.approx(coded.values.mean((0, 2, 3)).numpy(), abs=1e-4)


def test_a_manifest_tells_all_trainings_of_a_network(tmp_path: Path) -> None:
    options = vars(Options("cuda"))
    first: dict[str, Any] = {
        "run": vars(runs.chosen("b")[0]) | {"phases": []},
        "samples": {"all": 5},
    }
    first |= {"options": options, "seconds": 2.0}
    second = first | {"run": vars(runs.chosen("joint-50")[0]) | {"phases": []}}
    for name, one in (("joint", first), ("joint-50", second)):
        kept.pack({"x": torch.zeros(2)}, one, tmp_path / f"{name}.npz")
    before = history_of(tmp_path / "joint-50.npz")
    gone_on = second | {"before": before, "options": options | {"batch": 16}}
    kept.pack({"x": torch.zeros(2)}, gone_on, tmp_path / "later.npz")
    history = history_of(tmp_path / "later.npz")
    found = export.trained(history, ["a device", "a device", "a processor"], "00")
    assert [(one.command.partition("--")[2], one.hardware) for one in found] == [
        ("only b", "a device"),
        ("only joint-50", "a device"),
        ("only joint-50 --batch 16", "a processor"),
    ]
    assert len(export.trained(history, ["a device"], "00")) == 3
    with pytest.raises(ValueError, match="of 2 trainings, but there are 3"):
        export.trained(history, ["one", "two"], "00")
