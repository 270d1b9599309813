"""Prefixes of ideal code length: what coefficients would show at a number of bytes, uncoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.interface import Pixels
from service.codec.prefixel.codec import LARGEST_BATCH, EmbeddedCodec
from service.codec.prefixel.context_model import COEFFICIENTS
from service.codec.prefixel.rate_model import Truncator
from service.codec.prefixel.reconstruction import Floats, from_cells, to_rgb


def shown(
    codec: EmbeddedCodec, truncator: Truncator, values: Floats, payload_bytes: NDArray[np.float64]
) -> Pixels:
    """Paint cuts of coefficients [N, 3072] in steps: uint8 [N, M, 32, 32, 3].

    ``payload_bytes`` [N, M] ascend. ``truncator`` has the codec's tables or others
    of the same steps.
    """
    parts = []
    at_once = max(1, LARGEST_BATCH // payload_bytes.shape[1])
    for start in range(0, len(values), at_once):
        part = slice(start, start + at_once)
        cut = truncator.cut(values[part], payload_bytes[part])
        painted = from_cells(codec.dequantiser, cut.cells.reshape(-1, COEFFICIENTS))
        known = cut.known.reshape(len(painted), -1)
        rgb = to_rgb(codec.synthesised(painted, known))
        parts.append(rgb.reshape(*cut.cells.shape[:2], *rgb.shape[1:]))
    return np.concatenate(parts)
