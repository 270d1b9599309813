"""The way of a picture through wavelet, networks and a cut of its stream, with gradients.

    analysed    RGB -> the coefficients that are coded, in steps
    shown       coefficients and a state -> what the state leaves of them
    painted     what is left -> RGB

Without networks it is the closed form of ``service.codec.photo``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.photo import elementwise, kernels, wavelet
from models.photo.networks import LEVELS, Networks, from_cells, to_cells
from models.photo.states import States

MIDDLE = 128.0


class Coefficients(NamedTuple):
    """In steps: ``details`` [N, 3, 3, h, w], finest first; ``low`` [N, 3, 1, h, w]."""

    details: list[Tensor]
    low: Tensor

    def repeated(self, times: int) -> Coefficients:
        """Each picture so many times, one after the other."""
        return Coefficients(
            [part.repeat_interleave(times, 0) for part in self.details],
            self.low.repeat_interleave(times, 0),
        )

    def to(self, device: str) -> Coefficients:
        """The same on a device."""
        return Coefficients([part.to(device) for part in self.details], self.low.to(device))


class Coding:
    """One size and order."""

    def __init__(self, states: States) -> None:
        if states.levels <= LEVELS:
            raise ValueError(f"pictures of {states.levels} levels have no cells")
        self.states = states
        self.axes = torch.from_numpy(states.steps.axes).to(states.device)

    def analysed(self, photo: Tensor, networks: Networks | None) -> Coefficients:
        """Float [N, 3, H, W] in 0..255."""
        states = self.states
        planes = torch.einsum("kc,nchw->nkhw", self.axes, photo - MIDDLE)
        low, details = wavelet.decompose(planes, LEVELS)
        details = [part / step for part, step in zip(details, states.detail_steps, strict=False)]
        if networks is not None:
            cells = networks.analysed(to_cells(low / states.low_step, details))
            low, details = from_cells(cells)
            low = low * states.low_step
        low, deep = wavelet.decompose(low, states.levels - LEVELS)
        details += [
            part / step for part, step in zip(deep, states.detail_steps[LEVELS:], strict=True)
        ]
        return Coefficients(details, (low / states.low_step)[:, :, None])

    def shown(self, coefficients: Coefficients, planes: list[Tensor]) -> Coefficients:
        """What a state leaves, with its slope over a cell as gradient."""
        left = []
        parts = (*coefficients.details, coefficients.low)
        for values, state, means in zip(parts, planes, self.states.means, strict=True):
            flat, known = values.detach().flatten(1, 2).contiguous(), state.flatten(1, 2)
            if flat.is_cuda:
                found, slopes = elementwise.magnitudes(flat, known, means)
            else:
                found, slopes = torch.empty_like(flat), torch.empty_like(flat)
                into = found.numpy(), slopes.numpy()
                kernels.magnitudes(flat.numpy(), known.numpy(), means.numpy(), *into)
            found, slopes = (part.view(values.shape) for part in (found, slopes))
            left.append(found + slopes * (values - values.detach()))
        return Coefficients(left[:-1], left[-1])

    def painted(
        self, shown: Coefficients, planes: list[Tensor], networks: Networks | None
    ) -> Tensor:
        """Float [N, 3, H, W], unclipped."""
        states = self.states
        pairs = zip(shown.details, states.detail_steps, strict=True)
        details = [part * step for part, step in pairs]
        low = wavelet.compose(shown.low[:, :, 0] * states.low_step, details[LEVELS:])
        fine = details[:LEVELS]
        if networks is not None:
            found = [torch.exp2(part[..., 0].float()) for part in planes]
            units = [found[n] * states.detail_steps[n] for n in range(LEVELS)]
            low_unit = found[LEVELS].mean((2, 3, 4))[..., None, None] * states.low_step
            cells = to_cells(low / low_unit, [p / u for p, u in zip(fine, units, strict=True)])
            low, fine = from_cells(networks.known(cells, told(planes)))
            low = low * low_unit
            fine = [part * unit for part, unit in zip(fine, units, strict=True)]
        turned = wavelet.compose(low, fine)
        return torch.einsum("kc,nkhw->nchw", self.axes, turned) + MIDDLE


def told(planes: list[Tensor]) -> Tensor:
    """What the synthesis is told: the mean plane of each band of a cell, float32 [N, 30].

    Both kinds count half; of the low-pass picture stands the level under it. About in -1 .. 2.
    """
    parts = [part.float().mean((3, 4, 5)) for part in planes[: LEVELS + 1]]
    bands = torch.cat([part.flatten(1) for part in parts[:LEVELS]], 1)
    return (torch.cat((bands, parts[LEVELS].mean(2)), 1) - 3) / 4
