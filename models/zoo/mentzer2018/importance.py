"""The importance map: how many channels of the bottleneck a place may use (section 3.3).

    y = K sigmoid(channel);   m_k = clip(y - k, 0, 1),  k = 0 .. K - 1;   z times ceil(m)

Equation 14 is misprinted: 1 where y > k + 1, 0 where y < k. The rounding passes its gradient. No
map is sent: what it masks is 0, and codes as the symbol of 0.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mask(channel: Tensor, channels: int) -> Tensor:
    """Map before its sigmoid [N, H, W] -> m, float [N, K, H, W] in 0..1."""
    y = channels * torch.sigmoid(channel)
    k = torch.arange(channels, device=y.device, dtype=y.dtype).view(1, -1, 1, 1)
    return (y[:, None] - k).clamp(0, 1)


def rounded_up(m: Tensor) -> Tensor:
    """ceil(m), with m's gradient."""
    return m.ceil().detach() + (m - m.detach())
