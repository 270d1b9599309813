"""Statistics of normalisation, estimated anew once weights stand still.

While weights move, those that moved with them are of other weights; a map near its threshold pays
for that first. A network's average has never had statistics of its own at all. So a training ends
with some batches that change nothing else (as in Izmailov et al. 2018, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from models.zoo.mentzer2018.autoencoder import BatchNorm
from models.zoo.mentzer2018.codec import Codec

BATCHES = 16


@torch.no_grad()
def estimate(model: Codec, batches: Iterable[Tensor], head: int | None = None) -> None:
    """Means over batches, float [N, 3, H, W] in 0..255; the network is in evaluation mode after.

    ``head`` is the importance map that they are coded by; None takes turns.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, BatchNorm)]
    model.train()
    for number, photo in enumerate(batches):
        for layer in layers:
            layer.momentum = 1 / (1 + number)
        chosen = number % max(1, model.config.heads) if head is None else head
        model.decoder(model.code(model.encoder(photo), chosen).values)
    for layer in layers:
        layer.momentum = BatchNorm.momentum
    model.eval()
