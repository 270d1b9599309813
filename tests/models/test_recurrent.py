"""The recurrent codecs of 2016 and 2017 against their equations."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from models.zoo import full_resolution
from models.zoo.johnston2017 import codec as johnston2017
from models.zoo.toderici2016 import cells, codec
from models.zoo.toderici2016.network import Widths

TINY = Widths((3, 4, 4, 6), (5, 4, 4, 4, 4))
ASSOCIATIVE = "associative-lstm-one-shot"
RECONSTRUCTIONS = ("one-shot", "additive", "scaling")


def noise(batch: int, height: int = 32, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(batch, 3, height, width, generator=generator) * 1.8 - 0.9


def pixel(kind: str, inputs: int, width: int) -> cells.Cell:
    """A cell of 1x1 kernels: at one pixel it is the textbook's cell."""
    torch.manual_seed(1)
    return cells.CELLS[kind](inputs, width, kernel=1, stride=1, hidden=1)


def vectors(*sizes: int) -> list[Tensor]:
    torch.manual_seed(2)
    return [torch.randn(2, size) for size in sizes]


def at_pixel(cell: cells.Cell, x: Tensor, *states: Tensor) -> tuple[Tensor, list[Tensor]]:
    output, new = cell(x[:, :, None, None], [s[:, :, None, None] for s in states])
    return output[:, :, 0, 0], [s[:, :, 0, 0] for s in new]


def matrix(layer: nn.Conv2d) -> Tensor:
    return layer.weight[:, :, 0, 0]


@torch.no_grad()
def test_a_gru_of_one_pixel_is_the_textbooks() -> None:
    cell = pixel("gru", 5, 4)
    assert isinstance(cell, cells.GRU)
    x, h = vectors(5, 4)
    of_x = x @ matrix(cell.of_input).T + cell.of_input.bias
    of_h = h @ matrix(cell.of_hidden).T
    z, r = torch.sigmoid(of_x[:, :4] + of_h[:, :4]), torch.sigmoid(of_x[:, 4:8] + of_h[:, 4:])
    candidate = torch.tanh(of_x[:, 8:] + (r * h) @ matrix(cell.of_reset).T)
    output, (state,) = at_pixel(cell, x, h)
    torch.testing.assert_close(output, (1 - z) * h + z * candidate)
    assert torch.equal(output, state)


@torch.no_grad()
def test_a_residual_gru_adds_a_tenth_of_its_past_and_of_its_input() -> None:
    cell = pixel("residual-gru", 5, 4)
    assert isinstance(cell, cells.ResidualGRU)
    x, h = vectors(5, 4)
    plain = pixel("gru", 5, 4)
    plain.load_state_dict({k: v for k, v in cell.state_dict().items() if k in plain.state_dict()})
    before, _ = at_pixel(plain, x, h)
    output, (state,) = at_pixel(cell, x, h)
    torch.testing.assert_close(state, before + 0.1 * h @ matrix(cell.past).T)
    torch.testing.assert_close(output, state + 0.1 * x @ matrix(cell.around).T)


@torch.no_grad()
def test_an_lstm_of_one_pixel_is_torchs() -> None:
    cell, torchs = pixel("lstm", 5, 4), nn.LSTMCell(5, 4)
    assert isinstance(cell, cells.LSTM)
    order = torch.cat([torch.arange(4) + 4 * gate for gate in (0, 1, 3, 2)])  # i, f, g, o
    torchs.weight_ih.copy_(matrix(cell.of_input)[order])
    torchs.weight_hh.copy_(matrix(cell.of_hidden)[order])
    assert cell.of_input.bias is not None
    torchs.bias_ih.copy_(cell.of_input.bias[order])
    torchs.bias_hh.zero_()
    x, h, c = vectors(5, 4, 4)
    output, states = at_pixel(cell, x, h, c)
    expected = torchs(x, (h, c))
    torch.testing.assert_close(output, expected[0])
    torch.testing.assert_close(states, list(expected))


@torch.no_grad()
def test_an_associative_lstm_computes_with_complex_numbers() -> None:
    cell = pixel("associative-lstm", 5, 6)
    assert isinstance(cell, cells.AssociativeLSTM)
    for layer in (cell.of_input, cell.of_hidden):
        layer.weight.mul_(1.5)  # so that some magnitudes are over 1
    x, h, c = vectors(5, 6, 6)
    all_of = x @ matrix(cell.of_input).T + cell.of_input.bias + h @ matrix(cell.of_hidden).T
    f, i, o = torch.sigmoid(all_of[:, :9]).split(3, dim=1)

    def number(t: Tensor) -> Tensor:
        return torch.complex(*t.chunk(2, dim=1))

    def bound(z: Tensor) -> Tensor:
        return z / z.abs().clamp(min=1)

    read_at, write_at, value = (bound(number(t)) for t in all_of[:, 9:].split(6, dim=1))
    assert 0 < int((number(all_of[:, 9:15]).abs() > 1).sum()) < 6, "bound would go untested"
    memory = f * number(c) + write_at * (i * value)
    shown = o * bound(read_at * memory)
    output, states = at_pixel(cell, x, h, c)
    torch.testing.assert_close(number(output), shown)
    torch.testing.assert_close(number(states[1]), memory)
    assert torch.equal(output, states[0])


def test_strides_belong_to_the_input_alone() -> None:
    for kind in cells.CELLS.values():
        cell = kind(3, 4, kernel=3, stride=2, hidden=3)
        output, states = cell(torch.randn(2, 3, 16, 8), cell.start(2, 16, 8))
        assert output.shape == states[0].shape == (2, 4, 8, 4)


@pytest.fixture(params=RECONSTRUCTIONS)
def built(request: pytest.FixtureRequest) -> codec.Codec:
    torch.manual_seed(5)
    return codec.Codec(codec.Config("gru", request.param, TINY, gain_width=3)).eval()


@torch.no_grad()
def test_the_decoder_alone_paints_what_the_encoder_saw(built: codec.Codec) -> None:
    """From bits alone, by the papers' equations written out."""
    x = noise(2, 32, 64)
    pictures, codes = built(x, 3)
    states = built.decoder.start(2, 32, 64)
    picture, gain = torch.zeros_like(x), torch.ones(1)
    for bits, expected in zip(codes, pictures, strict=True):
        output, states = built.decoder(bits, states)
        match built.config.reconstruction:
            case "one-shot":
                picture = output
            case "additive":
                picture = picture + output
            case "scaling":
                picture = picture + output / gain
                gain = built.gain(picture)  # type: ignore[misc]
        torch.testing.assert_close(picture, expected)
    torch.testing.assert_close(built.decode(codes), pictures)


@torch.no_grad()
def test_the_encoder_is_given_what_is_missing(built: codec.Codec) -> None:
    x, given = noise(1), []
    built.encoder.register_forward_hook(lambda _, args, __: given.append(args[0]))
    pictures, _ = built(x, 3)
    assert torch.equal(given[0], x)
    for residual, picture in zip(given[1:], pictures, strict=False):
        gain = 1.0 if built.gain is None else built.gain(picture)
        torch.testing.assert_close(residual, gain * (x - picture))


@torch.no_grad()
def test_a_gain_is_over_one_and_the_same_for_a_tile() -> None:
    torch.manual_seed(5)
    gain = codec.Gain(4)(noise(1, 64, 96))
    assert gain.shape == (1, 1, 64, 96)
    assert float(gain.min()) > 1
    tiles = gain.reshape(2, 32, 3, 32).permute(0, 2, 1, 3).flatten(2)
    assert torch.equal(tiles.amin(-1), tiles.amax(-1))
    assert len(tiles.unique()) == 6


@torch.no_grad()
def test_priming_and_diffusion_run_the_halves_as_often_on_both_sides() -> None:
    torch.manual_seed(5)
    config = johnston2017.Config(TINY, priming=3, diffusion=1)
    built = johnston2017.Codec(config).eval()
    x = noise(1)
    pictures, codes = built(x, 3)

    # the decoder, from bits alone: 3 + 1, 1 + 1, 1 + 1 runs, the last picture of each is shown
    states = built.decoder.start(1, 32, 32)
    for bits, runs, expected in zip(codes, (4, 2, 2), pictures, strict=True):
        for _ in range(runs):
            picture, states = built.decoder(bits, states)
        torch.testing.assert_close(picture, expected)
    torch.testing.assert_close(built.decode(codes), pictures)

    # the encoder: as often on the residual, the last bits of each are sent
    states, residual = built.encoder.start(1, 32, 32), x
    for sent, runs, picture in zip(codes, (4, 2, 2), pictures, strict=True):
        for _ in range(runs):
            bits, states = built.encoder(residual, states)
        assert torch.equal(bits, sent)
        residual = x - picture


def test_neither_is_the_plain_network() -> None:
    torch.manual_seed(5)
    plain = johnston2017.Codec(johnston2017.Config(TINY)).eval()
    for config in (johnston2017.Config(TINY, priming=3), johnston2017.Config(TINY, diffusion=1)):
        other = johnston2017.Codec(config).eval()
        other.load_state_dict(plain.state_dict())
        with torch.no_grad():
            assert not torch.equal(other(noise(1), 1)[0][0], plain(noise(1), 1)[0][0])


NARROW = Widths((2, 2, 2, 2), (4, 4, 4, 4, 4))


def reached(gradient: Tensor) -> int:
    """Columns from the first to the last that have a gradient."""
    columns = torch.nonzero(gradient.abs().sum(dim=(0, 1, 2)))
    return int(columns.max() - columns.min()) + 1


def test_bits_see_the_pixels_that_the_paper_counts() -> None:
    """Johnston et al. 2017: S bit stacks see 16 S + 15 pixels, whatever ran before."""
    built = johnston2017.Codec(johnston2017.Config(NARROW)).double()
    x = torch.randn(1, 3, 16, 16 * 9, dtype=torch.double, requires_grad=True)
    states = built.encoder.start(1, 16, 16 * 9)
    for _ in range(3):
        features, states = built.encoder.features(x, states)
    for stacks in (1, 2, 4):
        seen = features[..., 3 : 3 + stacks].sum()
        (gradient,) = torch.autograd.grad(seen, x, retain_graph=True)
        assert reached(gradient) == 16 * stacks + 15


def stacks_behind_a_tile(config: johnston2017.Config, iterations: int, runs: int = 9) -> list[int]:
    """How many bit stacks in a row move 16x16 pixels, by iteration of the bits."""
    torch.manual_seed(7)
    built, stacks = johnston2017.Codec(config).double(), 41
    codes = [
        torch.randn(1, 32, 1, stacks, dtype=torch.double, requires_grad=True)
        for _ in range(iterations)
    ]
    states = built.decoder.start(1, 16, 16 * stacks)
    for iteration, bits in enumerate(codes):
        extra = config.extra(iteration)
        states = johnston2017.diffused(built.decoder, bits, states, extra)
        picture, states = built.decoder(bits, states)
    middle = 16 * (stacks // 2)
    moved = picture[..., middle : middle + 16].sum()
    return [reached(gradient) for gradient in torch.autograd.grad(moved, codes)]


def printed(k_p: int, k_d: int, t: int) -> int:
    """Johnston et al. 2017, the bit stacks that iteration t (from 0) can see, in a row."""
    return math.ceil(1.5 * k_d + 5.5) * t + math.ceil(1.5 * k_p + 5.5)


@pytest.mark.parametrize(("k_p", "k_d"), [(0, 0), (3, 0), (0, 1), (2, 2), (3, 3)])
def test_no_bit_moves_pixels_beyond_the_papers_support(k_p: int, k_d: int) -> None:
    for t in range(2):
        found = stacks_behind_a_tile(johnston2017.Config(NARROW, k_p, k_d), t + 1)
        assert max(found) <= printed(max(k_p, k_d), k_d, t)


def test_every_further_run_of_the_decoder_sees_one_stack_more() -> None:
    """A step back in time passes one hidden kernel of 3x3, at 1/4 behind a reset gate of 3x3.

    That is 8 pixels to each side. The paper's 1.5 stacks a run add those at 1/2 (4 pixels), but no
    bit passes both in one step.
    """
    plain = stacks_behind_a_tile(johnston2017.Config(NARROW), 1)
    assert plain == [5]  # 3x3 of the input at 1/16, 1/8, 1/4 and 1/2: 30 pixels to each side
    for k in (4, 8):
        assert stacks_behind_a_tile(johnston2017.Config(NARROW, k), 1) == [5 + k]
        iterations = stacks_behind_a_tile(johnston2017.Config(NARROW), k + 1)
        assert iterations[0] == 5 + k
        assert iterations[-1] == 7  # a gate opens on what was known: 6 pixels more
    diffusing = stacks_behind_a_tile(johnston2017.Config(NARROW, 1, 1), 4)
    assert diffusing == [13, 11, 9, 7]  # two runs an iteration


@torch.no_grad()
@pytest.mark.parametrize("name", sorted(full_resolution.SYSTEMS))
def test_every_system_codes_any_size_at_an_eighth_of_a_bit_an_iteration(name: str) -> None:
    system = full_resolution.SYSTEMS[name]
    config = replace(system.configs["small"], widths=TINY)
    built = system.build(config).eval()
    pictures, codes = built(noise(1, 32, 96), 2)
    for picture, bits in zip(pictures, codes, strict=True):
        assert picture.shape == (1, 3, 32, 96)
        assert bits.shape == (1, 32, 2, 6)
        assert bits.numel() == 32 * 96 / 8
        assert set(bits.unique().tolist()) <= {-1.0, 1.0}


def test_gates_and_keys_start_open() -> None:
    lstm, associative = (full_resolution.SYSTEMS[n] for n in ("lstm-one-shot", ASSOCIATIVE))
    width = TINY.decoder[1]
    for system, opened in ((lstm, width), (associative, 3 * width // 2)):
        built = system.build(replace(system.configs["small"], widths=TINY))
        biases = built.decoder.cells[0].of_input.bias
        assert int((biases == 1).sum()) == opened
        assert int((biases == 0).sum()) == len(biases) - opened


def test_gradients_reach_every_weight() -> None:
    for name, system in full_resolution.SYSTEMS.items():
        built = system.build(replace(system.configs["small"], widths=TINY))
        pictures, _ = built(noise(1), 2)
        sum(p.abs().sum() for p in pictures).backward()  # type: ignore[union-attr]
        lacking = [
            n for n, p in built.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-8
        ]
        assert not lacking, f"{name}: {lacking}"
