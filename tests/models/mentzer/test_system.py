"""Mentzer et al. 2018: what is masked, quantised, predicted and paid for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from models.zoo.mentzer2018 import importance, rate
from models.zoo.mentzer2018.autoencoder import CONFIGS, Config, Decoder, Encoder
from models.zoo.mentzer2018.codec import Codec
from models.zoo.mentzer2018.context import SEEN, ContextModel, MaskedConv3d, padded
from models.zoo.mentzer2018.quantiser import Quantiser

TINY = Config(first=4, width=8, groups=1, bottleneck=6, centres=6, heads=2, context=5)
DEPTH, HEIGHT, WIDTH = 7, 13, 12


def place(k: int, y: int, x: int) -> int:
    """Where the scan comes by."""
    return (k * HEIGHT + y) * WIDTH + x


def test_a_distribution_sees_exactly_what_the_scan_has_passed_of_five_by_nine_by_nine() -> None:
    torch.manual_seed(3)
    model = ContextModel(width=6, centres=4).double()
    middle = 5, 6, 5
    values = torch.randn(1, DEPTH, HEIGHT, WIDTH, dtype=torch.float64, requires_grad=True)
    around = torch.zeros((), dtype=torch.float64)
    bits = model(values, around).double()
    k, y, x = middle
    (seen,) = torch.autograd.grad(bits[0, k, 0, y, x], values)
    found = {tuple(at) for at in seen[0].nonzero().tolist()}
    allowed = {
        (a, b, c)
        for a in range(k - SEEN, k + 1)
        for b in range(y - SEEN, y + SEEN + 1)
        for c in range(x - SEEN, x + SEEN + 1)
        if a >= 0 and b < HEIGHT and c < WIDTH and place(a, b, c) < place(*middle)
    }
    assert found <= allowed
    corners = {(k - 4, y - 4, x - 4), (k - 4, y + 4, x + 4), (k, y, x - 1), (k, y - 1, x + 1)}
    assert corners <= found  # all of it, not less


@torch.no_grad()
def test_a_change_moves_no_distribution_that_the_scan_reads_before_it() -> None:
    torch.manual_seed(4)
    model = ContextModel(width=6, centres=4)
    values = torch.randn(2, DEPTH, HEIGHT, WIDTH)
    before = model(values, torch.tensor(0.5))
    k, y, x = 2, 7, 4
    values[:, k, y, x] += 1
    moved = (model(values, torch.tensor(0.5)) != before).any(2)[0].nonzero().tolist()
    assert moved
    assert all(place(*at) > place(k, y, x) for at in moved)


@torch.no_grad()
def test_two_planar_convolutions_are_one_of_volumes() -> None:
    torch.manual_seed(5)
    conv = MaskedConv3d(3, 4, centre=False)
    volume = torch.randn(2, 5, 3, 8, 9)
    kernel = (conv.weight * conv.mask).movedim(0, 2)  # [outputs, inputs, 2, 3, 3]
    expected = functional.conv3d(volume.transpose(1, 2), kernel, conv.bias).transpose(1, 2)
    assert torch.allclose(conv(volume), expected, atol=1e-5)


@torch.no_grad()
def test_around_the_volume_lies_the_value_of_centre_0() -> None:
    values = torch.randn(1, 2, 3, 3)
    wide = padded(values, torch.tensor(-1.25))
    assert wide.shape == (1, 2 + 4, 3 + 8, 3 + 8)
    assert torch.allclose(wide[:, 4:, 4:-4, 4:-4], values)
    wide[:, 4:, 4:-4, 4:-4] = -1.25
    assert bool((wide == -1.25).all())
    codec = Codec(TINY)
    expected = codec.context(values.repeat(1, 3, 1, 1), codec.quantiser.centres[0])
    assert torch.equal(codec.bits(values.repeat(1, 3, 1, 1)), expected)


def test_what_it_says_are_bits_of_probabilities_that_add_up() -> None:
    torch.manual_seed(6)
    model = ContextModel(width=6, centres=4)
    bits = model(torch.randn(1, 3, 5, 5), torch.tensor(0.0))
    assert torch.allclose((2.0**-bits).sum(2), torch.ones(1, 3, 5, 5), atol=1e-5)
    model.last.weight.data.zero_()
    even = model(torch.randn(1, 3, 5, 5), torch.tensor(0.0))
    assert torch.allclose(even, torch.full_like(even, math.log2(4)))


@pytest.mark.parametrize(
    ("y", "expected"), [(0.0, [0, 0, 0]), (1.25, [1, 0.25, 0]), (2.0, [1, 1, 0]), (3, [1, 1, 1])]
)
def test_a_map_of_y_leaves_channel_k_where_y_is_over_k(y: float, expected: list[float]) -> None:
    share = torch.tensor(y / 3).clamp(1e-7, 1 - 1e-7)
    channel = torch.logit(share).view(1, 1, 1).requires_grad_()
    m = importance.mask(channel, 3)
    assert m[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)
    up = importance.rounded_up(m)
    if 0 < y < 3:
        assert up[0, :, 0, 0].tolist() == pytest.approx(m.detach().ceil()[0, :, 0, 0].tolist())
    (of_up,) = torch.autograd.grad(up.sum(), channel, retain_graph=True)
    (of_m,) = torch.autograd.grad(m.sum(), channel)
    assert torch.equal(of_up, of_m)


def test_the_nearest_centre_forward_and_the_soft_one_backward() -> None:
    quantiser = Quantiser(6)
    z = torch.linspace(-3, 3, 41).requires_grad_()
    values, symbols, soft = quantiser(z)
    distances = (z.detach()[:, None] - quantiser.centres.detach()).abs()
    assert torch.equal(symbols, distances.argmin(1))
    assert torch.allclose(values, quantiser.centres[symbols])
    assert torch.allclose(soft.sum(-1), torch.ones(41))
    smooth = (torch.softmax(-((z[:, None] - quantiser.centres) ** 2), 1) * quantiser.centres).sum(1)
    inputs = (z, quantiser.centres)
    for got, due in zip(
        torch.autograd.grad(values.square().sum(), inputs),
        torch.autograd.grad((2 * values.detach() * smooth).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(got, due, atol=1e-5)


@torch.no_grad()
def test_what_is_masked_quantises_to_the_centre_nearest_to_0() -> None:
    torch.manual_seed(7)
    codec = Codec(TINY).eval()
    codec.quantiser.centres.copy_(torch.tensor([2.0, -1.5, 0.9, 0.3, -0.5, 1.4]))
    found = torch.randn(2, TINY.heads + TINY.bottleneck, 4, 5)
    found[:, 0] = torch.logit(torch.tensor(2.5 / 6))
    coded = codec.code(found, head=0)
    assert coded.mask[0, :, 0, 0].tolist() == [1, 1, 1, 0, 0, 0]
    assert int(codec.quantiser.of_zero) == 3
    assert bool((coded.symbols[:, 3:] == 3).all())
    assert torch.equal(coded.symbols[:, :3], codec.quantiser(found[:, 2:5])[1])


def test_a_rate_under_its_target_costs_nothing_and_one_over_it_beta_a_bit() -> None:
    for bits, gradient in ((0.4, 0.0), (0.6, 10.0)):
        h = torch.tensor(bits, requires_grad=True)
        loss = rate.over_target(h, 0.5, beta=10.0)
        assert float(loss.detach()) == pytest.approx(10 * max(bits - 0.5, 0), abs=1e-5)
        (found,) = torch.autograd.grad(loss, h)
        assert float(found) == gradient


def test_bits_have_a_gradient_to_the_choice_and_are_those_of_the_symbol() -> None:
    torch.manual_seed(8)
    bits = torch.rand(1, 2, 3, 4, 4).requires_grad_()
    chosen = torch.softmax(torch.rand(1, 2, 4, 4, 3), -1).requires_grad_()
    symbols = torch.randint(3, (1, 2, 4, 4))
    spent = rate.soft(bits, symbols, chosen)
    assert torch.allclose(spent, rate.of_symbols(bits, symbols))
    of_bits, of_chosen = torch.autograd.grad(spent.sum(), (bits, chosen))
    assert float(of_bits.sum()) == 2 * 4 * 4  # one of three each
    assert torch.allclose(of_chosen, bits.detach().movedim(2, -1))


def test_table_1s_uniform_rate() -> None:
    assert rate.a_pixel(math.log2(6), 16) == pytest.approx(0.646, abs=5e-4)
    assert rate.a_symbol(rate.a_pixel(1.25, 32), 32) == pytest.approx(1.25)


def test_a_photo_comes_back_in_its_size_through_an_eighth_of_it() -> None:
    for config in (TINY, replace(TINY, heads=0)):
        codec = Codec(config).eval()
        shown, coded, bits = codec(torch.rand(2, 3, 24, 40) * 255)
        assert shown.shape == (2, 3, 24, 40)
        assert coded.symbols.shape == (2, 6, 3, 5)
        assert bits.shape == (2, 6, 6, 3, 5)


def test_in_use_a_photo_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(9)
    encoder, decoder = Encoder(TINY), Decoder(TINY)
    encoder(torch.rand(4, 3, 32, 32) * 255)  # statistics move
    encoder.eval()
    decoder.eval()
    photos = torch.rand(3, 3, 32, 32) * 255
    together = encoder(photos)
    assert torch.allclose(encoder(photos[1:2]), together[1:2], atol=1e-5)
    values = together[:, TINY.heads :]
    assert torch.allclose(decoder(values[1:2]), decoder(values)[1:2], atol=1e-3)


def test_the_papers_widths() -> None:
    config = CONFIGS["paper"]
    encoder = Encoder(config)
    convolutions = [p for p in encoder.parameters() if p.ndim == 4]
    assert len(convolutions) == 2 + 5 * 3 * 2 + 2 + 1
    assert convolutions[-1].shape == (33, 128, 5, 5)
