"""Networks against the closed form at equal bytes: lengths of the scan, cuts, three measures.

The scan's tables are those of the closed form; within a pass bits are taken to fall evenly on its
blocks. Savings are means of log rate at equal quality, closed form between its own points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.photo import perceived
from models.photo.coding import Coding
from models.photo.distortion import ms_ssim
from models.photo.lengths import cut_at, integers, prices
from models.photo.networks import Networks
from models.photo.states import States
from models.training.photos import middle
from service.codec.photo.tables import Stored

BUDGETS_BPP = (0.1, 0.25, 0.5, 1.0)
MORE_BPP = (0.05, 0.07, 0.17, 0.35, 0.7, 1.4)
"""Points of the closed form in between, for the rate at which it reaches a quality."""
SIDE = 256
AT_ONCE = 7
MEASURES = "psnr", "ms_ssim", "ssimulacra2"
"""The last is -10 log10 of its errors before they become a score."""
Qualities = NDArray[np.float64]


def load(folder: Path, side: int = SIDE) -> Tensor:
    """Middles of ``photos-validation/*.png``: uint8 [N, side, side, 3].

    Raises FileNotFoundError where there are none.
    """
    found = sorted((folder / "photos-validation").glob("*.png"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no photos-validation/*.png")
    made = []
    for path in found:
        with Image.open(path) as picture:
            made.append(middle(np.asarray(picture.convert("RGB")), side))
    return torch.from_numpy(np.stack(made))


class Validation:
    """The closed form's curve over some pictures, and what networks win over it."""

    def __init__(self, stored: Stored, order: int, pictures: Tensor, device: str = "cpu") -> None:
        self.stored, self.pictures = stored, pictures.to(device)
        self.coding = Coding(States(stored, order, pictures.shape[1], device))
        self.budgets = tuple(sorted((*BUDGETS_BPP, *MORE_BPP)))

    @cached_property
    def closed(self) -> Qualities:
        """The closed form's, at ``budgets``; measured when first asked for."""
        return self.qualities(None, self.budgets)

    @torch.no_grad()
    def qualities(self, networks: Networks | None, budgets: Sequence[float]) -> Qualities:
        """Mean ``MEASURES`` (all in dB) at so many bits a pixel: float64 [budgets, 3]."""
        total = np.zeros((len(budgets), len(MEASURES)))
        states = self.coding.states
        for batch in self.pictures.split(AT_ONCE):
            photo = batch.permute(0, 3, 1, 2).float()
            coded = self.coding.analysed(photo, networks)
            host = coded.to("cpu")
            bits = [
                prices(integers(host, states, n), states, self.stored) for n in range(len(batch))
            ]
            for row, budget in enumerate(budgets):
                planes = states.planes(
                    [cut_at(each, budget * photo[0, 0].numel()) for each in bits]
                )
                shown = self.coding.shown(coded, planes)
                painted = self.coding.painted(shown, planes, networks)
                painted = painted.round().clamp(0, 255)
                squared = (painted - photo).square().mean((1, 2, 3)).double()
                total[row, 0] += float((10 * torch.log10(255**2 / squared)).sum())
                unlike = (1 - ms_ssim(photo, painted)).double()
                total[row, 1] += float((-10 * torch.log10(unlike)).sum())
                seen = perceived.errors(photo, painted).double()
                total[row, 2] += float((-10 * torch.log10(seen)).sum())
        return total / len(self.pictures)

    def figures(self, networks: Networks) -> dict[str, float]:
        """Qualities at ``BUDGETS_BPP``, and rates against the closed form's in per cent."""
        found = self.qualities(networks, BUDGETS_BPP)
        named: dict[str, float] = {}
        for column, name in enumerate(MEASURES):
            for budget, value in zip(BUDGETS_BPP, found[:, column], strict=True):
                named[f"{name}_{budget}"] = float(value)
            named[f"rate_{name}"] = self.against(found[:, column], column)
        return named

    def against(self, qualities: NDArray[np.float64], column: int) -> float:
        """Mean rate in per cent of what the closed form needs for the same qualities, less 100."""
        return percent(float(self.apart(qualities, column).mean()))

    def apart(self, qualities: NDArray[np.float64], column: int) -> NDArray[np.float64]:
        """Logarithms of each of ``BUDGETS_BPP`` over the rate of the closed form."""
        reached = np.interp(qualities, self.closed[:, column], np.log(self.budgets))
        return np.asarray(np.log(BUDGETS_BPP) - reached, np.float64)


def percent(apart: float) -> float:
    """What a logarithm of two rates says."""
    return 100 * (math.exp(apart) - 1)
