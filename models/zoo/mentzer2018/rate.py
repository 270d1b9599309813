"""What a volume of symbols costs: each symbol's bits, masked or not, clipped at a target."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from models.zoo.mentzer2018.autoencoder import STRIDE


def of_symbols(bits: Tensor, symbols: Tensor) -> Tensor:
    """Bits of every symbol [N, K, L, H, W] and the symbols [N, K, H, W] -> their bits."""
    return bits.gather(2, symbols[:, :, None]).squeeze(2)


def soft(bits: Tensor, symbols: Tensor, chosen: Tensor) -> Tensor:
    """The same bits, [N, K, H, W], with a gradient to ``chosen`` too, [N, K, H, W, L].

    How soft a choice is stands for the choice, as in the quantiser: a latent moves to centres that
    are cheaper.
    """
    smooth = (chosen * bits.detach().movedim(2, -1)).sum(-1)
    return of_symbols(bits, symbols) + (smooth - smooth.detach())


def over_target(bits_a_symbol: Tensor, target: float, beta: float) -> Tensor:
    """beta max(H, t) but for the constant beta t: beta max(H - t, 0), both in bits a symbol."""
    return beta * functional.relu(bits_a_symbol - target)


def a_pixel(bits_a_symbol: float, channels: int) -> float:
    """Bits a symbol -> bits a pixel, for so many channels."""
    return bits_a_symbol * channels / STRIDE**2


def a_symbol(bits_a_pixel: float, channels: int) -> float:
    """Bits a pixel -> bits a symbol."""
    return bits_a_pixel * STRIDE**2 / channels
