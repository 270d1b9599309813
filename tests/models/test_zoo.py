"""The systems against their equations."""

from __future__ import annotations

import torch
from torch import nn

from models.zoo.catalogue import SYSTEMS
from models.zoo.conv_lstm import Config, ConvLSTMCodec
from models.zoo.layers import Binarizer, ConvLSTM, DeconvLSTM


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
    binarizer.eval()
    signs = binarizer(torch.tensor([-1e-3, 0.0, 1e-3]).view(3, 1, 1, 1))
    assert signs.flatten().tolist() == [-1.0, 1.0, 1.0]


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


def test_budgets_are_what_the_iterations_spend() -> None:
    for system in SYSTEMS.values():
        for config in system.configs.values():
            for payload, iterations in system.budgets.items():
                assert config.bits * 64 * iterations == 8 * int(payload)
