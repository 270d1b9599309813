"""The 9/7 wavelet of the service as matrices, so that gradients pass: float32.

    matrices     of one length: the service's own lifting, run on each unit vector
    decompose    planes -> low-pass picture and the details of each level, finest first
    compose      back

Details of a level are one tensor [N, channels, 3, h, w], in the order horizontal, vertical,
diagonal; so both sides must be even at every split.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from service.codec.photo import wavelet


@cache
def matrices(length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Analysis and synthesis of one level, float32 [length, length]: low-pass rows come first."""
    unit = np.eye(length, dtype=np.float32)
    forth, back = np.empty_like(unit), np.empty_like(unit)
    for n in range(length):
        column = unit[:, [n]].copy()
        wavelet.forward(column)
        forth[:, n] = column[:, 0]
        column = unit[:, [n]].copy()
        wavelet.inverse(column)
        back[:, n] = column[:, 0]
    low_first = np.concatenate((np.arange(0, length, 2), np.arange(1, length, 2)))
    found = (torch.from_numpy(part.copy()) for part in (forth[low_first], back[:, low_first]))
    return tuple(part.to(device) for part in found)  # type: ignore[return-value]


def decompose(planes: Tensor, levels: int) -> tuple[Tensor, list[Tensor]]:
    """[N, C, H, W] -> the low-pass picture and ``levels`` details, finest first.

    Raises ValueError when a side is odd before a split.
    """
    details = []
    for _ in range(levels):
        high, wide = planes.shape[-2:]
        if high % 2 or wide % 2:
            raise ValueError(f"a plane of {wide}x{high} cannot be halved")
        turned = _of(planes, high)[0] @ planes @ _of(planes, wide)[0].T
        down, across = high // 2, wide // 2
        top, bottom = turned[..., :down, :], turned[..., down:, :]
        parts = (top[..., across:], bottom[..., :across], bottom[..., across:])
        details.append(torch.stack(parts, 2))
        planes = top[..., :across]
    return planes, details


def compose(low: Tensor, details: list[Tensor]) -> Tensor:
    """The inverse: details finest first -> [N, C, H, W]."""
    for detail in reversed(details):
        top = torch.cat((low, detail[:, :, 0]), -1)
        bottom = torch.cat((detail[:, :, 1], detail[:, :, 2]), -1)
        turned = torch.cat((top, bottom), -2)
        high, wide = turned.shape[-2:]
        low = _of(turned, high)[1] @ turned @ _of(turned, wide)[1].T
    return low


def _of(planes: Tensor, length: int) -> tuple[Tensor, Tensor]:
    return matrices(length, planes.device)
