"""What a network is worth: MS-SSIM, PSNR, and bits a pixel by four entropy models (Table 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from models.photo.distortion import ms_ssim
from models.zoo.mentzer2018 import rate
from models.zoo.mentzer2018.codec import Codec

AT_ONCE = 7
COUNTED = 64
"""Tiles whose symbols are counted for the tables."""


@dataclass(frozen=True)
class Tables:
    """Bits of a symbol [L], and of one after another [L, L], by counts."""

    zeroth: Tensor
    previous: Tensor


def planes(pictures: Tensor) -> Tensor:
    """uint8 [N, H, W, 3] -> float [N, 3, H, W], channels last."""
    return pictures.permute(0, 3, 1, 2).float()


def scan(symbols: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Symbols [N, K, h, w] -> each one [N, K h w] in the scan's order, and the one before it.

    Before the first comes the symbol of the padding, 0.
    """
    line = symbols.flatten(1)
    return line, torch.cat((first.expand(len(line), 1), line[:, :-1]), 1)


@torch.no_grad()
def counted(model: Codec, tiles: Tensor, head: int = 0) -> Tables:
    """Tables of what a network in use makes of tiles, uint8 [N, H, W, 3]."""
    size = model.config.centres
    pairs = torch.ones(size, size, device=tiles.device, dtype=torch.float64)
    for some in tiles.split(32):
        symbols = model.code(model.encoder(planes(some)), head).symbols
        line, before = scan(symbols, symbols.new_zeros(1, 1))
        pairs += torch.bincount((before * size + line).flatten(), minlength=size**2).view_as(pairs)
    singles = pairs.sum(0)
    return Tables(
        -torch.log2(singles / singles.sum()).float(),
        -torch.log2(pairs / pairs.sum(1, keepdim=True)).float(),
    )


@torch.no_grad()
def figures(
    model: Codec, photos: Tensor, tables: Tables | None = None, head: int = 0
) -> dict[str, float]:
    """Means over photos, uint8 [N, H, W, 3], of a network in evaluation mode.

    ``context`` is what the context model spends, ``masked`` the part on what is not masked; with
    ``tables`` there are ``uniform``, ``zeroth`` and ``previous`` too. All in bits a pixel.
    """
    rows: dict[str, list[Tensor]] = {}
    for some in photos.split(AT_ONCE):
        photo = planes(some)
        shown, coded, bits = model(photo, head)
        shown = shown.clamp(0, 255).round()
        spent = rate.of_symbols(bits, coded.symbols)
        found = {
            "ms_ssim": ms_ssim(photo, shown),
            "psnr": 10 * torch.log10(255**2 / (photo - shown).square().mean((1, 2, 3))),
            "context": spent.mean((1, 2, 3)),
            "masked": (spent * coded.mask).mean((1, 2, 3)),
        }
        if tables:
            line, before = scan(coded.symbols, coded.symbols.new_zeros(1, 1))
            found["zeroth"] = tables.zeroth[line].mean(1)
            found["previous"] = tables.previous[before, line].mean(1)
        for name, values in found.items():
            rows.setdefault(name, []).append(values)
    means = {name: float(torch.cat(values).mean()) for name, values in rows.items()}
    if tables:
        means["uniform"] = math.log2(model.config.centres)
    channels = model.config.bottleneck
    qualities = "ms_ssim", "psnr"
    return {n: v if n in qualities else rate.a_pixel(v, channels) for n, v in means.items()}
