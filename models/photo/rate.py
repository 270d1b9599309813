"""What a state costs, as a gradient needs it: Laplacian magnitudes whose scale neighbours foretell.

    folded   a magnitude on the axis where all cells of a state are one wide, the half cell of zero
             too: its own half below 1, less a half above
    noise    uniform over a cell stands for the rounding (Balle et al. 2017)
    scale    a positive sum: of neighbours that come before (left, above, beside that), the parent and
             the channels before; known magnitudes, which get no gradient
    pending  a coefficient that waits for its refinement costs one bit less

The real coder mixes adaptive models; this one's scales are fitted beside the networks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.photo.states import Known

SCALES = 6
"""Weights of a band's scale: constant, left, above, both diagonals, parent, channels before."""
START = (0.08, 0.22, 0.22, 0.11, 0.12, 0.08)
LEAST_SCALE = 0.02


class Rate(nn.Module):
    """Bits of the details of ``levels`` levels; deeper ones share the last one's weights."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        start = torch.tensor(START).expm1().log()  # softplus of it is START
        self.weights = nn.Parameter(start.repeat(levels, 3, 3, 1))

    def forward(self, values: list[Tensor], shown: list[Tensor], known: list[Known]) -> Tensor:
        """Bits [N] of details in steps, finest first; ``shown``: magnitudes that a state leaves."""
        total = values[0].new_zeros(len(values[0]))
        above: Tensor | None = None
        for level in range(len(values) - 1, -1, -1):
            if above is None:
                parent = torch.zeros_like(shown[level])
            else:
                parent = above.repeat_interleave(2, -2).repeat_interleave(2, -1)
            row = self.weights[min(level, len(self.weights) - 1)]
            total = total + self._bits(values[level], shown[level], parent, known[level], row)
            above = shown[level]
        return total

    def _bits(
        self, values: Tensor, shown: Tensor, parent: Tensor, known: Known, row: Tensor
    ) -> Tensor:
        unit = 1 / known.found
        weights = functional.softplus(row)[..., None, None].unbind(2)  # SCALES times [3, 3, 1, 1]
        padded = functional.pad(shown, (1, 1, 1, 0))
        high, wide = shown.shape[-2:]
        left = padded[..., 1:, :wide]
        top, top_left, top_right = (
            padded[..., :high, 1 : wide + 1],
            padded[..., :high, :wide],
            padded[..., :high, 2:],
        )
        before = functional.pad(shown[:, :-1].cumsum(1), (0, 0, 0, 0, 0, 0, 1, 0))
        parts = (left, top, top_left + top_right, parent, before)
        scale = weights[0] + unit * sum(
            weight * part for weight, part in zip(weights[1:], parts, strict=False)
        )
        size = values.abs() * unit
        folded = torch.where(size < 1, size / 2, size - 0.5)
        noisy = (folded + torch.rand_like(folded) - 0.5).abs()
        bits = laplacian_bits(noisy, scale + LEAST_SCALE)
        pending = (shown > 2 * known.found) & (known.refined > known.found)
        return bits.sum((1, 2, 3, 4)) - pending.sum((1, 2, 3, 4))


def laplacian_bits(place: Tensor, scale: Tensor) -> Tensor:
    """-log2 of what a Laplacian of mean 0 puts within half a unit of ``place`` >= 0."""
    inverse = 1 / scale
    outside = torch.log(-torch.expm1(-inverse)) - math.log(2) - (place - 0.5) * inverse
    inner = place.clamp(max=0.5)
    tails = (torch.exp((inner - 0.5) * inverse) + torch.exp((-inner - 0.5) * inverse)) / 2
    inside = torch.log((1 - tails).clamp(min=1e-9))
    return torch.where(place > 0.5, outside, inside) / -math.log(2)
