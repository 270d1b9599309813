"""Weights for the browser come out of a synthesis graph as they went in, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from models.export.browser import ARTIFACT, Matrix, Synthesis, generate, pack, read_synthesis
from models.prefixel.export import export_synthesis
from models.prefixel.networks import Config, Correction, Networks, Shape
from service.codec import artifact
from service.errors import ArtifactError

SMALL = Config(Shape(6, blocks=2), None)
SMALLER = Config(Shape(6, blocks=1), None)


def exported(folder: Path, config: Config = SMALL, eight_bits: bool = True) -> Correction:
    """A network of random weights, as its graph in the folder has it."""
    torch.manual_seed(4)
    model = Networks(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    network = model.eval().synthesis
    export_synthesis(network, folder, eight_bits)
    return network


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Correction, Path]:
    """A network and its graph."""
    folder = tmp_path_factory.mktemp("network")
    return exported(folder), folder / "synthesis.onnx"


def test_every_weight_is_read_exactly_and_in_its_place(network: tuple[Correction, Path]) -> None:
    model, path = network
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    found = read_synthesis(path)

    def check(matrix: Matrix | None, name: str) -> None:
        assert matrix is not None
        ones = [1] * (matrix.whole.ndim - 1)
        np.testing.assert_array_equal(
            matrix.whole * matrix.scales.reshape(-1, *ones), state.pop(name)
        )

    first, *inner, last = found.layers
    assert len(inner) == 6
    names = [f"blocks.{n}.{part}" for n in (0, 1) for part in ("around", "widen", "narrow")]
    for layer, name in zip(found.layers, ["convs.0", *names, "convs.1"], strict=True):
        check(layer.kernel, f"{name}.weight")
        biases = state.pop(f"{name}.bias", np.zeros(len(layer.kernel.whole)))
        np.testing.assert_array_equal(layer.biases, biases)
        told = name.startswith("convs") or name.endswith("widen")
        assert (layer.steering is not None) == told
        assert (layer.gains is not None) == name.endswith("widen")
    for n, layer in enumerate((inner[1], inner[4])):
        check(layer.steering, f"blocks.{n}.steering.weight")
        check(layer.gains, f"blocks.{n}.gains.weight")
    check(first.steering, "steering.0.weight")
    check(last.steering, "steering.1.weight")
    parts = ("0.weight", "0.bias", "2.weight", "2.bias")
    for value, part in zip(found.told, parts, strict=True):
        np.testing.assert_array_equal(value, state.pop(f"told.{part}"))
    assert not state, "a weight that the browser would not get"


def test_floats_that_16_bits_do_not_hold_are_refused(network: tuple[Correction, Path]) -> None:
    found = read_synthesis(network[1])
    layer = replace(found.layers[0], biases=found.layers[0].biases + np.float32(1e-7))
    with pytest.raises(ArtifactError, match="float16"):
        pack(Synthesis(found.told, [layer, *found.layers[1:]]))


@pytest.mark.parametrize(
    ("config", "eight_bits", "told"),
    [
        (SMALLER, False, "no convs.0.weight of 8 bits"),
        (Config(Shape(6, layers=1, blocks=1), None), True, "convs.2.weight.* belong to no block"),
        (replace(SMALLER, precision=False), True, "no steering.0.weight of 8 bits"),
    ],
    ids=["float16", "dense layers", "not told"],
)
def test_other_networks_are_refused(
    tmp_path: Path, config: Config, eight_bits: bool, told: str
) -> None:
    exported(tmp_path, config, eight_bits)
    with pytest.raises(ArtifactError, match=told):
        read_synthesis(tmp_path / "synthesis.onnx")


def test_a_weight_that_is_missing_is_named(
    network: tuple[Correction, Path], tmp_path: Path
) -> None:
    model = onnx.load(network[1])
    gone = next(i for i in model.graph.initializer if i.name.startswith("blocks.1.narrow.bias"))
    model.graph.initializer.remove(gone)
    onnx.save(model, tmp_path / "synthesis.onnx")
    with pytest.raises(ArtifactError, match=r"has no blocks\.1\.narrow\.bias"):
        read_synthesis(tmp_path / "synthesis.onnx")


def test_two_artifacts_of_one_version_are_refused() -> None:
    one = artifact.read(ARTIFACT)
    with pytest.raises(ArtifactError, match="another version"):
        generate([one, one])
