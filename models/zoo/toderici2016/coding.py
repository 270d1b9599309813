"""Bits through BinaryRNN and a range coder, and back, in ONE process.

Both sides run the same loop on the same tensors, one position after the other with all later bits
at 0, so that every expectation is the same number. A decoder elsewhere has no such promise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.zoo.toderici2016.network import BITS
from service.codec.entropy import range_coder

if TYPE_CHECKING:
    from models.zoo.toderici2016.binary_rnn import BinaryRNN

Code = Callable[[tuple[int, int, int], list[int]], list[int]]
"""Iteration, row, column and how often of ``TOTAL`` each bit is -1 -> the bits as 0 and 1."""
ROWS_SEEN = 3


def encode(model: BinaryRNN, codes: list[Tensor]) -> bytes:
    """Bits [1, 32, h, w] of each iteration, -1 and +1 -> a stream."""
    whole = torch.stack(codes)[:, 0]  # [T, 32, h, w]
    out = np.zeros(2 * whole.numel() + range_coder.MARGIN, np.uint8)
    encoder = range_coder.new_encoder()

    def put(place: tuple[int, int, int], minus: list[int]) -> list[int]:
        nonlocal encoder
        iteration, row, column = place
        bits = (whole[iteration, :, row, column] > 0).int().tolist()
        for bit, first in zip(bits, minus, strict=True):
            share = (first, range_coder.TOTAL - first) if bit else (0, first)
            encoder = range_coder.put(encoder, out, *share)
        return bits

    _, _, height, width = whole.shape
    _through(model, len(codes), height, width, put)
    return out[: range_coder.finish(encoder, out)].tobytes()


def decode(
    model: BinaryRNN, stream: bytes, iterations: int, height: int, width: int
) -> list[Tensor]:
    """The bits that ``encode`` was given. Raises ValueError for a stream that ends too early."""
    data = np.frombuffer(stream, np.uint8)
    decoder = range_coder.begin(range_coder.new_decoder(), data, len(data))

    def get(place: tuple[int, int, int], minus: list[int]) -> list[int]:
        nonlocal decoder
        bits = []
        for first in minus:
            bit, decoder = range_coder.get_bit(decoder, first)
            if bit == range_coder.UNDECIDED:
                raise ValueError(f"the stream ends at iteration, row, column {place}")
            decoder = range_coder.refilled(decoder, data, len(data))
            bits.append(int(bit))
        return bits

    return _through(model, iterations, height, width, get)


@torch.no_grad()
def _through(
    model: BinaryRNN, iterations: int, height: int, width: int, code: Code
) -> list[Tensor]:
    """All bits, as ``code`` says them: [1, 32, h, w] of each iteration."""
    past = torch.zeros(1, BITS, height, width)
    state = model.past.start(past)
    codes = []
    for iteration in range(iterations):
        predictor = model.predictor(iteration)
        v = torch.tanh(predictor.of_past(past))
        known = torch.zeros(1, BITS, ROWS_SEEN + height, width)  # rows of zeros above the first
        above = None
        for row in range(height):
            seen = known[:, :, row : row + ROWS_SEEN + 1]
            for column in range(width):
                u = torch.tanh(predictor.of_bits(seen))[:, :, -1:]
                expected, below = predictor.expect(u, v[:, :, row : row + 1], above)
                minus = shares(expected[0, :, 0, column])
                bits = code((iteration, row, column), minus)
                seen[0, :, -1, column] = torch.tensor(bits) * 2.0 - 1
            above = below  # no state sees the bits of its own position: the last is the row's
        codes.append(known[:, :, ROWS_SEEN:])
        past, state = model.past(codes[-1], state)
    return codes


def shares(expected: Tensor) -> list[int]:
    """How often of ``TOTAL`` each bit is -1, at least once and never always."""
    minus = (range_coder.TOTAL * (1 - expected.double()) / 2).round().long()
    return minus.clamp(1, range_coder.TOTAL - 1).tolist()
