"""BinaryRNN: a bit is never told of itself or of what comes later; what it predicts is coded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.zoo.toderici2016 import coding
from models.zoo.toderici2016.binary_rnn import BinaryRNN, Config, LineLSTM, MaskedConv, bits_spent

HEIGHT, WIDTH, MIDDLE = 9, 11, (4, 5)


def model(predictors: int = 1) -> BinaryRNN:
    torch.manual_seed(6)
    return BinaryRNN(Config(width=8, predictors=predictors)).eval()


def codes(iterations: int, height: int = HEIGHT, width: int = WIDTH) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randint(2, (iterations, 1, 32, height, width), generator=generator)
    return list(drawn * 2.0 - 1)


def moved(before: Tensor, after: Tensor) -> set[tuple[int, int]]:
    """Positions (row, column) at which two [1, C, h, w] differ."""
    return {(int(y), int(x)) for y, x in (before != after).any(dim=1)[0].nonzero()}


@pytest.mark.parametrize("centre", [False, True])
@torch.no_grad()
def test_a_masked_convolution_sees_what_is_above_and_to_the_left(centre: bool) -> None:
    conv = MaskedConv(2, 3, (7, 7), centre)
    x = torch.zeros(1, 2, HEIGHT, WIDTH)
    before = conv(x)
    x[0, 1, MIDDLE[0], MIDDLE[1]] = 1
    y, x0 = MIDDLE
    below = {(r, c) for r in range(y + 1, y + 4) for c in range(x0 - 3, x0 + 4)}
    right = {(y, c) for c in range(x0 + (0 if centre else 1), x0 + 4)}
    assert moved(before, conv(x)) == below | right


@torch.no_grad()
def test_a_line_lstm_carries_rows_down_and_columns_to_the_right() -> None:
    lines = LineLSTM(2, 3)
    x = torch.zeros(1, 2, HEIGHT, WIDTH)
    before, _ = lines(x)
    x[0, 1, MIDDLE[0], MIDDLE[1]] = 1
    after, _ = lines(x)
    y, x0 = MIDDLE
    expected = {
        (r, c)
        for r in range(y, HEIGHT)
        for c in range(max(0, x0 - (r - y)), min(WIDTH, x0 + 2 + (r - y)))
    }
    assert moved(before, after) == expected


@torch.no_grad()
def test_a_line_lstm_goes_on_where_it_stopped() -> None:
    lines = LineLSTM(2, 3)
    x = torch.randn(2, 2, 5, 6)
    whole, end = lines(x)
    upper, state = lines(x[:, :, :2])
    lower, below = lines(x[:, :, 2:], state)
    torch.testing.assert_close(torch.cat([upper, lower], dim=2), whole)
    torch.testing.assert_close(below, end)


@torch.no_grad()
def test_a_bit_moves_only_what_is_coded_after_it() -> None:
    built, before = model(), codes(3)
    expected = built(before)
    for channel in (0, 17):
        after = [bits.clone() for bits in before]
        after[1][0, channel, MIDDLE[0], MIDDLE[1]] *= -1
        found = built(after)
        assert torch.equal(found[0], expected[0]), "an earlier iteration knew of it"
        later = {(r, c) for r in range(HEIGHT) for c in range(WIDTH) if (r, c) > MIDDLE}
        told = moved(found[1], expected[1])
        assert told <= later, "its own position, or one before it, knew of it"
        assert (MIDDLE[0], MIDDLE[1] + 1) in told
        assert MIDDLE in moved(found[2], expected[2])


@torch.no_grad()
def test_an_iteration_has_a_predictor_of_its_own_where_there_are_many() -> None:
    built = model(predictors=2)
    assert built.predictor(0) is not built.predictor(1)
    assert built.predictor(1) is built.predictor(5)


def test_bits_cost_what_their_chance_says() -> None:
    spent = bits_spent(torch.tensor([1.0, -1.0, 1.0]), torch.tensor([0.0, 0.5, -0.5]))
    torch.testing.assert_close(spent, torch.tensor([1.0, 2.0, 2.0]))


def signs(*shape: int) -> Tensor:
    return torch.randint(2, shape) * 2.0 - 1


def patterned(batch: int = 1) -> list[Tensor]:
    """Three iterations: a sign for each row in 16 bits, one kept for later in 8, noise in 8."""
    kept, drawn = signs(batch, 1, 6, 6), []
    for _ in range(3):
        rows = signs(batch, 1, 6, 1).expand(-1, 16, -1, 6)
        drawn.append(torch.cat([rows, kept.expand(-1, 8, -1, -1), signs(batch, 8, 6, 6)], dim=1))
    return drawn


@pytest.fixture(scope="module")
def taught() -> BinaryRNN:
    built = model()
    adam = torch.optim.Adam(built.parameters(), 0.02)
    for _ in range(60):
        drawn = patterned(4)
        spent = bits_spent(torch.stack(drawn), torch.stack(built(drawn)))
        adam.zero_grad()
        spent.mean().backward()
        adam.step()
    return built.eval()


@torch.no_grad()
def test_it_learns_what_repeats(taught: BinaryRNN) -> None:
    bits = patterned(8)
    spent = bits_spent(torch.stack(bits), torch.stack(taught(bits)))
    assert float(spent[:, :, :16, :, 1:].mean()) < 0.5, "what is on the left is the same"
    assert float(spent[1:, :, 16:24].mean()) < 0.5, "an iteration ago it was the same"
    assert float(spent[:, :, 24:].mean()) > 0.95, "noise costs a bit"


@torch.no_grad()
def test_bits_come_back_and_the_stream_has_the_ideal_length(taught: BinaryRNN) -> None:
    bits = patterned()
    stream = coding.encode(taught, bits)
    ideal = float(bits_spent(torch.stack(bits), torch.stack(taught(bits))).sum()) / 8
    assert ideal < 0.75 * 3 * 32 * 36 / 8
    assert ideal - 1 <= len(stream) <= 1.001 * ideal + 4
    assert all(
        torch.equal(found, sent)
        for found, sent in zip(coding.decode(taught, stream, 3, 6, 6), bits, strict=True)
    )
    with pytest.raises(ValueError, match="ends at iteration"):
        coding.decode(taught, stream[: len(stream) // 2], 3, 6, 6)
