"""The 8x8 patches of a thumbnail, which the fully connected systems code alone.

A layer that is fully connected within a patch is a 1x1 convolution over the 4x4 patches of a
thumbnail: a patch's samples are the channels of one position.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SIDE = 32
PATCH = 8
GRID = SIDE // PATCH
SAMPLES = 3 * PATCH * PATCH


def apart(picture: Tensor) -> Tensor:
    """[N, 3, 32, 32] -> [N, 192, 4, 4]."""
    return functional.pixel_unshuffle(picture, PATCH)


def together(patches: Tensor) -> Tensor:
    """[N, 192, 4, 4] -> [N, 3, 32, 32]."""
    return functional.pixel_shuffle(patches, PATCH)
