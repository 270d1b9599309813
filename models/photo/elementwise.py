"""The loops of ``kernels`` as operations on whole tensors: what a CUDA device computes instead."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from models.photo.kernels import LEAST_SCALE, ORIENTS

NATS = 1 / math.log(2)


def magnitudes(values: Tensor, planes: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
    """``kernels.magnitudes``: what a state leaves of ``values`` [N, R, h, w], and its slopes."""
    size = values.abs()
    found, refined = planes.unbind(-1)
    here = _left(size, found, refined, means)
    half = torch.exp2(torch.where(size < _power(found + 1), found, refined).float()) / 2
    below = size - half
    under = torch.copysign(_left(below.abs(), found, refined, means), below)
    slopes = (_left(size + half, found, refined, means) - under) / (2 * half)
    return torch.copysign(here, values), slopes


def _left(size: Tensor, found: Tensor, refined: Tensor, means: Tensor) -> Tensor:
    """What a state leaves of magnitudes; ``means`` [R, planes, 3]."""
    plane = torch.where(size < _power(found + 1), found, refined).int()
    unit = _power(plane)
    cell = torch.floor(size / unit)
    age = (cell >= 2).int() + (cell >= 4).int()
    bands, planes, ages = means.shape
    band = torch.arange(bands, device=size.device, dtype=torch.int32)[:, None, None]
    place = (band * planes + plane.clamp(max=planes - 1)) * ages + age
    mean = means.flatten()[place]
    return torch.where(size < _power(found), 0.0, (cell + mean) * unit)


def _power(plane: Tensor) -> Tensor:
    return torch.exp2(plane.float())


def bits(
    values: Tensor, shown: Tensor, parent: Tensor, planes: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """``kernels.bits``: bits [N], slopes [N, 9, h, w] and [N, 9, SCALES]."""
    found, refined = planes.unbind(-1)
    unit = _power(-found)
    known = shown.abs()
    above = functional.pad(known, (1, 1, 1, 0))[..., :-1, :]  # a row up, a column more each side
    before = known.unflatten(1, (-1, ORIENTS)).cumsum(1).flatten(1, 2) - known
    parts = [
        torch.ones_like(known),
        functional.pad(known, (1, 0))[..., :-1] * unit,
        above[..., 1:-1] * unit,
        (above[..., :-2] + above[..., 2:]) * unit,
        functional.interpolate(parent.abs(), scale_factor=2.0) * unit
        if parent.numel()
        else torch.zeros_like(known),
        before.clamp(min=0) * unit,
    ]
    scale = LEAST_SCALE + sum(
        w[:, None, None] * part for w, part in zip(weights.T, parts, strict=True)
    )
    inverse = 1 / scale
    size = values.abs() * unit
    sure = -torch.expm1(-inverse)
    half = torch.exp(-inverse / 2)
    sign = torch.log(2 / sure)
    never = torch.log1p(-half)
    slope = torch.where(size < 1.5, sign + inverse / 2 + never, inverse).where(size >= 0.5, 0.0)
    of_values = torch.copysign(slope, values) * unit * NATS

    cell = torch.floor(size)
    is_told = cell > 0
    cost = torch.where(is_told, sign + (cell - 0.5) * inverse, -never)
    by_inverse = torch.where(is_told, cell - 0.5 - (1 - sure) / sure, -half / 2 / (1 - half))
    waits = (cell > 1) & (refined > found)
    total = (cost * NATS - waits.float()).sum((1, 2, 3))
    by_scale = -inverse * inverse * by_inverse * NATS
    of_weights = torch.stack([(by_scale * part).sum((2, 3)) for part in parts], -1)
    return total, of_values, of_weights
