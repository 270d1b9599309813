"""The stages of a trained network as graphs: what ``service.codec.photo.networks`` runs over tiles.

    enter    cells [N, 192, h, w] -> channels
    block    channels with two cells around them -> channels; its gains are worked out in it
    leave    channels and cells -> cells, as analysis or synthesis makes them

Parameters are the network's own; operations are those that graphs have.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from models.artifact_io import weights
from models.photo.kernels import REACH
from models.photo.layers import Depthwise, Pointwise
from models.photo.networks import COEFFICIENTS, LARGEST_GAIN, LOW, Block, CellNetwork

HALO = REACH // 2


class Enter(nn.Module):
    """Cells -> channels."""

    def __init__(self, network: CellNetwork) -> None:
        super().__init__()
        self.enter = plain(network.enter)

    def forward(self, cells: Tensor) -> Tensor:
        """[N, 192, h, w] -> [N, width, h, w]."""
        size = torch.log1p(cells.abs())
        found: Tensor = self.enter(torch.cat((cells.sign() * size, size), 1))
        return found


class Around(nn.Module):
    """A block."""

    def __init__(self, network: CellNetwork, number: int) -> None:
        super().__init__()
        block = network.blocks[number]
        assert isinstance(block, Block)
        around = plain(block.around)
        around.padding = (0, 0)
        self.around, self.widen, self.narrow = around, plain(block.widen), plain(block.narrow)
        self.told: nn.Sequential | None = None
        if network.told is not None:
            hidden, relu, last = copy.deepcopy(network.told)
            wide = block.widen.out_channels
            mine = nn.Linear(last.in_features, wide)
            with torch.no_grad():
                mine.weight.copy_(last.weight[number * wide : (number + 1) * wide])
                mine.bias.copy_(last.bias[number * wide : (number + 1) * wide])
            self.told = nn.Sequential(hidden, relu, mine)

    def forward(self, h: Tensor, told: Tensor | None = None) -> Tensor:
        """[N, width, h + 4, w + 4] -> [N, width, h, w]."""
        widened = self.widen(self.around(h))
        if self.told is not None:
            widened = widened * self.told(told)[:, :, None, None]
        found: Tensor = self.narrow(torch.relu(widened))
        return h[:, :, HALO:-HALO, HALO:-HALO] + found


class Leave(nn.Module):
    """Channels and cells -> cells."""

    def __init__(self, network: CellNetwork, *, is_analysis: bool) -> None:
        super().__init__()
        self.leave, self.is_analysis = plain(network.leave), is_analysis

    def forward(self, h: Tensor, cells: Tensor) -> Tensor:
        """As ``Networks.analysed`` or ``Networks.known``."""
        addition, g = self.leave(h).split((COEFFICIENTS, COEFFICIENTS - LOW), 1)
        bounded = LARGEST_GAIN * torch.tanh(g / LARGEST_GAIN)
        if self.is_analysis:
            low, fine = (cells + addition).split((LOW, COEFFICIENTS - LOW), 1)
            return torch.cat((low, fine * torch.exp(-bounded)), 1)
        low, fine = cells.split((LOW, COEFFICIENTS - LOW), 1)
        return torch.cat((low, fine * torch.exp(bounded)), 1) + addition


def stages(network: CellNetwork, *, is_analysis: bool) -> Iterator[nn.Module]:
    """All of them, in the order of their computation; copies."""
    yield Enter(network)
    for number in range(len(network.blocks)):
        yield Around(network, number)
    yield Leave(network, is_analysis=is_analysis)


def plain(layer: nn.Conv2d) -> nn.Conv2d:
    """The convolution that a layer with quick gradients is."""
    assert isinstance(layer, (Depthwise, Pointwise))
    made = copy.deepcopy(layer)
    made.__class__ = nn.Conv2d
    return made


def read(folder: Path, roles: tuple[str, ...] = ("analysis", "synthesis")) -> dict[str, Tensor]:
    """A state dict of ``Networks``, float32, of the stages that an artifact's folder holds."""
    found: dict[str, Tensor] = {}
    for role in roles:
        paths = sorted(folder.glob(f"{role}-*.onnx"), key=lambda path: int(path.stem.split("-")[1]))
        last: dict[str, list[Tensor]] = {}
        for number, path in enumerate(paths):
            for name, weight in weights.read_module(path).items():
                if name.startswith("told.2."):
                    last.setdefault(name, []).append(weight)
                elif name.startswith(("enter.", "leave.", "told.")):
                    found[f"{role}.{name}"] = weight
                else:
                    found[f"{role}.blocks.{number - 1}.{name}"] = weight
        found |= {f"{role}.{name}": torch.cat(parts) for name, parts in last.items()}
    return found
