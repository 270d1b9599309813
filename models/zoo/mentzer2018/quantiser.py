"""L learned centres: the nearest one forward, softly chosen backward (section 3.1).

    Q(z) = argmin_j |z - c_j|;   backward  sum_j c_j softmax_j(-sigma (z - c_j)^2),  sigma = 1

The paper prints the plain distance, its public code squares it, and so do we.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIGMA = 1.0
LOWEST, SPACING = -1.5, 0.75
"""Where centres start, for latents of variance 1: one at 0, which is what is masked. (The public
code draws them in [-2, 2].)"""


class Quantiser(nn.Module):
    """The centres c_j, [L]."""

    def __init__(self, centres: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(LOWEST + SPACING * torch.arange(centres))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Any shape -> values of that shape, symbols, and how soft each is, [..., L].

        Values are exact centres; their gradient is the soft one, to z and to the centres.
        """
        squares = (z[..., None] - self.centres) ** 2
        soft = torch.softmax(-SIGMA * squares, -1)
        symbols = squares.argmin(-1)
        smooth = (soft * self.centres).sum(-1)
        hard = self.values(symbols).detach()
        return hard + (smooth - smooth.detach()), symbols, soft

    def values(self, symbols: Tensor) -> Tensor:
        """The centres that symbols name."""
        return self.centres[symbols]

    @property
    def of_zero(self) -> Tensor:
        """The symbol of 0, where masked entries fall: a scalar."""
        return self.centres.square().argmin()
