"""The systems against their equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from models.zoo import conv_residual, fc_lstm, fc_residual
from models.zoo.catalogue import SYSTEMS
from models.zoo.conv_lstm import Config, ConvLSTMCodec
from models.zoo.layers import Binarizer, ConvLSTM, DeconvLSTM, StepConv
from models.zoo.progressive import Progressive

RESIDUAL = {
    "fc-shared": fc_residual.FCResidualCodec(fc_residual.Config(6, stages=1)),
    "fc-distinct": fc_residual.FCResidualCodec(fc_residual.Config(6, stages=3)),
    "conv-shared": conv_residual.ConvResidualCodec(conv_residual.Config((4, 5, 6), stages=1)),
    "conv-distinct": conv_residual.ConvResidualCodec(conv_residual.Config((4, 5, 6), stages=3)),
}


def noise(batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(batch, 3, 32, 32, generator=generator) * 1.8 - 0.9


def test_a_conv_lstm_of_one_pixel_is_an_lstm() -> None:
    ours, torchs = ConvLSTM(5, 7, stride=1), nn.LSTMCell(5, 7)
    i, f, o, g = range(4)  # ours; torch orders i, f, g, o
    order = torch.cat([torch.arange(7) + 7 * gate for gate in (i, f, g, o)])
    assert ours.of_input.bias is not None
    with torch.no_grad():
        torchs.weight_ih.copy_(ours.of_input.weight[:, :, 1, 1][order])
        torchs.weight_hh.copy_(ours.of_hidden.weight[:, :, 1, 1][order])
        torchs.bias_ih.copy_(ours.of_input.bias[order])
        torchs.bias_hh.zero_()
        x, h, c = torch.randn(3, 5), torch.randn(3, 7), torch.randn(3, 7)
        expected = torchs(x, (h, c))
        found = ours(x[:, :, None, None], (h[:, :, None, None], c[:, :, None, None]))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one[:, :, 0, 0], other)


def test_strides_belong_to_the_input_alone() -> None:
    down, up = ConvLSTM(3, 4, stride=2), DeconvLSTM(3, 4, stride=2)
    assert down.of_hidden.stride == up.of_hidden.stride == (1, 1)
    x = torch.randn(2, 3, 16, 16)
    h, _ = down(x, (torch.zeros(2, *down.state_shape(16, 16)),) * 2)
    assert h.shape == (2, 4, 8, 8)
    h, _ = up(x, (torch.zeros(2, *up.state_shape(16, 16)),) * 2)
    assert h.shape == (2, 4, 32, 32)


def test_the_binarizer_draws_in_training_and_thresholds_after() -> None:
    torch.manual_seed(0)
    binarizer = Binarizer(1, 1)
    with torch.no_grad():
        binarizer.project.weight.fill_(1.0)
        binarizer.project.bias.zero_()  # type: ignore[union-attr]
    x = torch.full((4096, 1, 1, 1), 0.5, requires_grad=True)
    drawn = binarizer(x)
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    assert abs(drawn.mean().item() - torch.tanh(torch.tensor(0.5)).item()) < 0.05
    drawn.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, 1 - torch.tanh(x.detach()) ** 2)
    binarizer.drawn = False
    y = torch.tensor([-1e-3, 0.0, 1e-3]).view(3, 1, 1, 1).requires_grad_()
    signs = binarizer(y)
    assert signs.flatten().tolist() == [-1.0, 1.0, 1.0]
    signs.sum().backward()
    assert y.grad is not None
    torch.testing.assert_close(y.grad, 1 - torch.tanh(y.detach()) ** 2)
    binarizer.eval()
    assert torch.equal(binarizer(y), signs)


def test_every_iteration_predicts_the_image_from_all_bits_so_far() -> None:
    torch.manual_seed(0)
    model = ConvLSTMCodec(Config((4, 6, 8))).eval()
    x = torch.rand(2, 3, 32, 32) * 1.8 - 0.9
    pictures, codes = model(x, 3)
    assert [tuple(p.shape) for p in pictures] == [(2, 3, 32, 32)] * 3
    assert {v for code in codes for v in code.unique().tolist()} <= {-1.0, 1.0}
    states = model.decoder.start(2)
    for picture, code in zip(pictures, codes, strict=True):
        again, states = model.decoder(code, states)
        torch.testing.assert_close(again, picture)
    bits, _ = model.encoder(x, model.encoder.start(2))
    assert torch.equal(bits, codes[0]), "the first residual is the image itself"


@pytest.mark.parametrize("name", RESIDUAL)
@torch.no_grad()
def test_a_residual_step_answers_what_the_one_before_left_over(name: str) -> None:
    model = RESIDUAL[name].eval()
    x = noise(2)
    pictures, codes = model(x, 3)
    total, residual = torch.zeros_like(x), x
    for t, (picture, code) in enumerate(zip(pictures, codes, strict=True)):
        step = torch.full((2, 1), float(t))
        assert torch.equal(model.encoder(residual, [step])[0], code)
        prediction, _ = model.decoder(code, [step, torch.zeros_like(x)])
        total = total + prediction
        residual = residual - prediction
        torch.testing.assert_close(picture, total)
        torch.testing.assert_close(x - picture, residual)


@pytest.mark.parametrize("name", RESIDUAL)
@torch.no_grad()
def test_a_step_has_its_own_weights_only_where_they_are_distinct(name: str) -> None:
    model = RESIDUAL[name].eval()
    x = noise(1)
    before, _ = model(x, 3)
    bias = model.decoder.to_rgb.bias.view(-1)
    bias[-3:] += 0.5
    after, _ = model(x, 3)
    bias[-3:] -= 0.5
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == ([False, False, True] if "distinct" in name else [True] * 3)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_step_layer_is_the_convolution_of_its_step(transposed: bool) -> None:
    layer = StepConv(3, 4, 5, 3, 2, transposed)
    nn.init.normal_(layer.bias)
    plain: nn.Module = nn.Conv2d(4, 5, 3, 2, 1)
    if transposed:
        plain = nn.ConvTranspose2d(4, 5, 3, 2, 1, output_padding=1)
    x = torch.randn(2, 4, 8, 8)
    for step in range(3):
        with torch.no_grad():
            plain.weight.copy_(layer.weight[step].view_as(plain.weight))
            plain.bias.copy_(layer.bias[step])
        torch.testing.assert_close(layer(x, torch.full((2, 1), float(step))), plain(x))


@pytest.mark.parametrize("transposed", [False, True])
def test_a_step_layer_starts_with_outputs_as_large_as_its_inputs(transposed: bool) -> None:
    torch.manual_seed(0)
    layer = StepConv(1, 96, 96, 3, 2, transposed)
    with torch.no_grad():
        y = layer(torch.randn(4, 96, 16, 16), torch.zeros(4, 1))[:, :, 2:-2, 2:-2]
    assert math.isclose(y.std().item(), 1.0, rel_tol=0.1)


@pytest.mark.parametrize(
    "model",
    [RESIDUAL["fc-shared"], RESIDUAL["fc-distinct"], fc_lstm.FCLSTMCodec(fc_lstm.Config(6))],
)
@torch.no_grad()
def test_patches_of_fully_connected_systems_are_coded_alone(model: Progressive) -> None:
    model.eval()
    x = noise(1)
    other = x.clone()
    other[:, :, 8:16, 24:32] = noise(2)[1:, :, 8:16, 24:32]  # the patch of row 1, column 3
    for before, after in zip(*(model(y, 3)[1] for y in (x, other)), strict=True):
        differs = (before != after).any(dim=1)[0]
        differs[1, 3] = False
        assert not differs.any()
    for before, after in zip(*(model(y, 3)[0] for y in (x, other)), strict=True):
        differs = (before != after).any(dim=1)[0]
        differs[8:16, 24:32] = False
        assert not differs.any()


def test_budgets_are_what_the_iterations_spend() -> None:
    for system in SYSTEMS.values():
        for config in system.configs.values():
            for payload, iterations in system.budgets.items():
                assert math.prod(config.bits_shape) * iterations == 8 * int(payload)
                assert iterations <= config.iterations


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_a_small_system_gives_the_bits_and_pictures_its_config_says(name: str) -> None:
    system = SYSTEMS[name]
    config = system.configs["small"]
    assert system.config(vars(config)) == config
    model = system.build(config).eval()
    with torch.no_grad():
        pictures, codes = model(noise(2), 1)
    assert pictures[0].shape == (2, 3, 32, 32)
    assert codes[0].shape == (2, *config.bits_shape)
    assert 2 * sum(p.numel() for p in model.parameters()) < 1_450_000


def test_wire_ids_are_each_systems_own() -> None:
    assert len({system.wire_id for system in SYSTEMS.values()}) == len(SYSTEMS)
