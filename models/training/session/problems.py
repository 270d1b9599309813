"""What a run minimises and how it is measured: a codec's pictures, or the price of its bits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from models.training import compute, losses
from models.training.session.pictures import Pictures
from models.training.session.runs import Phase, Recipe
from models.zoo import catalogue, fc_lstm_bitwise, full_resolution
from models.zoo.layers import Binarizer
from models.zoo.toderici2016 import binary_rnn

SYSTEMS: Mapping[str, Any] = {
    **full_resolution.SYSTEMS,
    **catalogue.SYSTEMS,
    "fc-lstm-bitwise": fc_lstm_bitwise.SYSTEM,
}
POOL = 1024
"""Crops whose bits an entropy model learns."""
CHUNK = 64


class Problem(Protocol):
    """A model, what a step's loss is, what it scores."""

    model: nn.Module

    def enter(self, phase: Phase) -> float:
        """Begin a phase; returns its forward GMAC a picture."""
        ...

    def loss(self) -> Tensor:
        """Of a batch that is drawn now."""
        ...

    def measure(self, model: nn.Module) -> dict[str, float]:
        """Figures on pictures that nothing is trained on."""
        ...


def build(recipe: Recipe, device: str) -> nn.Module:
    """The recipe's codec with the weights that a training starts from."""
    system = SYSTEMS[recipe.system]
    model: nn.Module = system.build(system.configs[recipe.config])
    model.to(device, memory_format=layout(device))  # type: ignore[call-overload]
    return model


def layout(device: str) -> torch.memory_format:
    """How pictures and kernels lie: a GPU's tensor cores want channels last."""
    return torch.contiguous_format if device == "cpu" else torch.channels_last


def autocast(device: str, bf16: bool) -> AbstractContextManager[object]:
    """Layers in bfloat16, or nothing."""
    return torch.autocast(device.split(":")[0], torch.bfloat16) if bf16 else nullcontext()


class CodecProblem:
    """The pictures of all iterations, beside the original."""

    def __init__(
        self, recipe: Recipe, pictures: Pictures, batch: int, device: str, bf16: bool
    ) -> None:
        self.recipe, self.pictures, self.batch = recipe, pictures, batch
        self.device, self.bf16 = device, bf16
        self.model = build(recipe, device)
        self.criterion = losses.LOSSES[recipe.loss]()
        if isinstance(self.criterion, nn.Module):
            self.criterion.to(device)
        most = recipe.phases[-1].iterations
        self.budgets = {n: min(k, most) for n, k in SYSTEMS[recipe.system].budgets.items()}
        self.channels = pictures.validation[:1].shape[1]
        self.iterations = 0

    def enter(self, phase: Phase) -> float:
        """Its iterations, and bits as it wants them."""
        self.iterations = phase.iterations
        for layer in self.model.modules():
            if isinstance(layer, Binarizer):
                layer.drawn = not phase.signs
        return compute.macs(self.model, phase.iterations, self.recipe.crop, self.channels) / 1e9

    def loss(self) -> Tensor:
        """Of all iterations at once: a weighted loss keeps one average for a step."""
        x = self.pictures.draw(self.batch, self.recipe.crop)
        x = x.contiguous(memory_format=layout(self.device))
        with autocast(self.device, self.bf16):
            pictures, _ = self.model(x, self.iterations)
        painted = torch.cat([picture.float() for picture in pictures])
        return self.criterion(x.repeat(self.iterations, 1, 1, 1), painted)

    @torch.no_grad()
    def measure(self, model: nn.Module) -> dict[str, float]:
        """Block SSIM and PSNR of whole 8-bit pictures: at the budgets, and PSNR of each step."""
        model.eval()
        x = self.pictures.validation
        original, figures = pixels(x), {}
        painted = [pixels(picture) for picture in model(x, max(self.budgets.values()))[0]]
        for name, iteration in self.budgets.items():
            ssim = losses.block_ssim(original, painted[iteration - 1], 255.0)
            figures[f"ssim_{name}"] = float(ssim)
            figures[f"psnr_{name}"] = float(psnr(original, painted[iteration - 1]))
        for step, picture in enumerate(painted, 1):
            figures[f"psnr_after_{step}"] = float(psnr(original, picture))
        model.train()
        return figures


def pixels(planes: Tensor) -> Tensor:
    """[N, C, H, W] in [-0.9, 0.9] -> whole numbers from 0 to 255, float32."""
    return ((planes.float() + 0.9) * (255 / 1.8)).round().clamp(0, 255)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Of each picture [N, C, H, W] in 0..255, the mean in dB."""
    error = (a - b).square().mean(dim=(1, 2, 3)).clamp(min=1e-10)
    return (10 * torch.log10(255**2 / error)).mean()


class EntropyProblem:
    """BinaryRNN on the bits of a frozen codec, which are made once."""

    def __init__(
        self, recipe: Recipe, codec: nn.Module, pictures: Pictures, batch: int, device: str
    ) -> None:
        self.batch, self.device = batch, device
        self.iterations, self.side = recipe.phases[-1].iterations, recipe.crop
        codec.eval()
        pool = POOL if device.startswith("cuda") else batch
        self.bits = torch.cat(
            [
                self._bits(codec, pictures.draw(min(CHUNK, pool), self.side))
                for _ in range(-(-pool // CHUNK))
            ]
        )
        self.held = self._bits(codec, pictures.validation)
        model = binary_rnn.BinaryRNN(binary_rnn.CONFIGS[recipe.config])
        self.model = model.to(device, memory_format=layout(device))  # type: ignore[call-overload]

    @torch.no_grad()
    def _bits(self, codec: nn.Module, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> int8 [N, T, 32, H / 16, W / 16]."""
        return torch.stack(codec(x, self.iterations)[1], dim=1).to(torch.int8)

    def enter(self, phase: Phase) -> float:
        """All phases are alike."""
        del phase
        with torch.no_grad():
            return compute.of(lambda: self._expected(self.model, self.bits[:1])) / 1e9

    def loss(self) -> Tensor:
        """Bits a bit, in float32 throughout: what is learned is their last hundredths."""
        which = torch.randint(len(self.bits), (self.batch,), device=self.bits.device)
        chosen = self.bits[which]
        return binary_rnn.bits_spent(*self._expected(self.model, chosen)).mean()

    def _expected(self, model: nn.Module, bits: Tensor) -> tuple[Tensor, Tensor]:
        codes = bits.float().unbind(1)
        return torch.stack(codes), torch.stack(model(list(codes)))

    @torch.no_grad()
    def measure(self, model: nn.Module) -> dict[str, float]:
        """The share of the bits that is saved, up to each rate."""
        spent = binary_rnn.bits_spent(*self._expected(model, self.held)).mean(dim=(1, 2, 3, 4))
        return {
            f"saved_{name}": 1 - float(spent[:iteration].mean())
            for name, iteration in full_resolution.BUDGETS.items()
        }
