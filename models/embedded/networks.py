"""The two networks of the embedded codec: small residual convolutions on a grid of 16x16.

    analysis    photo -> the picture that the transform is given; the decoder never runs it
    synthesis   painted prefix, how precisely it is known -> picture

Both add a correction to what comes in, and begin as the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.codec.painting import PRECISIONS

MIDDLE, SCALE = 128.0, 64.0


@dataclass(frozen=True)
class Config:
    """Width and number of inner layers of the synthesis and of the analysis (0 wide: none)."""

    synthesis: tuple[int, int] = (44, 2)
    analysis: tuple[int, int] = (64, 2)
    precision: bool = True


CONFIGS = {
    "small": Config(),
    "narrow": Config(synthesis=(28, 2)),
    "wide": Config(synthesis=(80, 2)),
    "blind": Config(precision=False),
    "no-analysis": Config(analysis=(0, 0)),
}


class Correction(nn.Module):
    """A picture plus what convolutions on its 2x2 cells find: float [N, 32, 32, 3], in levels.

    ``known`` inputs (0: none) are added to every layer's bias by a dense matrix.
    """

    def __init__(self, width: int, layers: int, known: int) -> None:
        super().__init__()
        self.known = known
        widths = [12, *[width] * (layers + 1), 12]
        pairs = list(pairwise(widths))
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.steering = nn.ModuleList(nn.Linear(known, o, bias=False) for _, o in pairs if known)
        for layer in (self.convs[-1], *self.steering):
            nn.init.zeros_(layer.get_parameter("weight"))
        for conv in self.convs:
            nn.init.zeros_(conv.get_parameter("bias"))

    def layer(self, n: int, h: Tensor, known: Tensor | None) -> Tensor:
        """Convolution ``n`` and its steering."""
        out: Tensor = self.convs[n](h)
        if known is None:
            return out
        shift: Tensor = self.steering[n](known)
        return out + shift[:, :, None, None]

    def forward(self, picture: Tensor, known: Tensor | None = None) -> Tensor:
        """Float [N, 32, 32, 3] and [N, known] -> float [N, 32, 32, 3]."""
        planes = ((picture - MIDDLE) / SCALE).permute(0, 3, 1, 2)
        last = len(self.convs) - 1
        h = torch.relu(self.layer(0, functional.pixel_unshuffle(planes, 2), known))
        for n in range(1, last):
            h = h + torch.relu(self.layer(n, h, known))
        found = functional.pixel_shuffle(self.layer(last, h, known), 2)
        return picture + SCALE * found.permute(0, 2, 3, 1).float()


class Networks(nn.Module):
    """What is trained together; an ``analysis`` of None leaves the photo as it is."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.synthesis = Correction(*config.synthesis, known=PRECISIONS if config.precision else 0)
        self.analysis = Correction(*config.analysis, known=0) if config.analysis[0] else None

    def forward(self, planes: Tensor, _: int) -> Tensor:
        """Both, one after the other, on float [N, 3, 32, 32]: what a sample computes."""
        known = planes.new_zeros(len(planes), PRECISIONS)
        return self.painted(self.analysed(planes.permute(0, 2, 3, 1)), known)

    def analysed(self, photo: Tensor) -> Tensor:
        """Float [N, 32, 32, 3] -> the same shape."""
        return photo if self.analysis is None else self.analysis(photo)

    def painted(self, picture: Tensor, known: Tensor) -> Tensor:
        """Float [N, 32, 32, 3] and [N, 18] -> float [N, 32, 32, 3]."""
        shown: Tensor = self.synthesis(picture, known if self.config.precision else None)
        return shown
