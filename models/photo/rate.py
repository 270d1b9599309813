"""What a state costs, as a gradient needs it: Laplacian magnitudes whose scale neighbours foretell.

    bits     of the cells as they are; their slope by a magnitude is what they grow by over a cell
             around it, nothing far below what would be found
    scale    a positive sum: of neighbours that come before (left, above, beside that), the parent,
             the channels before; known magnitudes, which get no gradient
    pending  a coefficient that waits for its refinement costs one bit less

The real coder mixes adaptive models; this one's scales are fitted beside the networks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.photo import elementwise, kernels

START = (0.01, 0.14, 0.14, 0.06, 0.05, 0.05)


class Rate(nn.Module):
    """Bits of the details of ``levels`` levels; deeper ones share the last one's weights."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        start = torch.tensor(START).expm1().log()  # softplus of it is START
        self.weights = nn.Parameter(start.repeat(levels, 9, 1))

    def forward(self, values: list[Tensor], shown: list[Tensor], planes: list[Tensor]) -> Tensor:
        """Bits [N] of details [N, 3, 3, h, w] in steps, finest first, and what a state leaves."""
        total = values[0].new_zeros(len(values[0]))
        weights = functional.softplus(self.weights)
        for level, (value, left) in enumerate(zip(values, shown, strict=True)):
            parent = shown[level + 1] if level + 1 < len(shown) else left[:, :, :, :0, :0]
            row = weights[min(level, len(weights) - 1)]
            found: Tensor = _Bits.apply(value, row, left.detach(), parent.detach(), planes[level])
            total = total + found
        return total


class _Bits(torch.autograd.Function):
    """``kernels.bits`` of one level, on a device ``elementwise.bits``."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weights: Tensor, shown: Tensor, parent: Tensor, planes: Tensor
    ) -> Tensor:
        """Bits [N]; the slopes are kept."""
        flat = [part.flatten(1, 2).contiguous() for part in (values, shown, parent, planes)]
        if values.is_cuda:
            total, of_values, of_weights = elementwise.bits(*flat, weights)
        else:
            of_values = torch.empty_like(flat[0])
            of_weights = torch.zeros(len(values), *weights.shape, dtype=torch.float64)
            given = [part.numpy() for part in (*flat, weights.contiguous(), of_values, of_weights)]
            total = torch.from_numpy(kernels.bits(*given))
        ctx.save_for_backward(of_values.view(values.shape), of_weights.float())
        return total.float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """Slopes times what each picture's bits are told."""
        of_values, of_weights = ctx.saved_tensors
        (gradient,) = gradients
        each = gradient[:, None, None, None, None] * of_values
        return each, torch.einsum("n,nrk->rk", gradient, of_weights), None, None, None
