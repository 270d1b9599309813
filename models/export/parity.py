"""Do torch and ONNX Runtime say the same: bits exactly, pixels within 1?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.training import data
from service.codec.recurrent.codec import RecurrentCodec, bit_order


@dataclass(frozen=True)
class Parity:
    """Bits that differ, pictures they are in, and how close to 0 the first of each picture was.

    A bit is the sign of a float. Where torch's value is within rounding of 0, another order of
    summation may fall on the other side; every later bit of that picture then answers another
    residual. ``first_margin`` is the largest \\|value\\| at which a picture's FIRST differing bit
    stood: rounding explains it only if it is tiny. ``pixels`` is the largest difference of the
    decoders, given the same bits.
    """

    bits: int
    differing_bits: int
    differing_pictures: int
    first_margin: float
    pixels: int


@torch.no_grad()
def compare(model: nn.Module, codec: RecurrentCodec, thumbnails: NDArray[np.uint8]) -> Parity:
    """Encode uint8 [N, 32, 32, 3] with both, and decode ONNX Runtime's streams with both."""
    model.eval()
    iterations = codec.artifact.manifest.iterations
    streams = [e.stream for e in codec.encode(thumbnails, [1.0] * len(thumbnails))]
    ours = _bits(streams, codec, iterations)
    theirs, values = _torch_bits(model, thumbnails, iterations)
    differ = (ours != theirs).reshape(len(thumbnails), -1)
    pictures = np.flatnonzero(differ.any(axis=1))
    first = differ.argmax(axis=1)
    margins = [abs(values.reshape(len(thumbnails), -1)[n, first[n]]) for n in pictures]
    painted = _torch_decode(model, ours)
    shown = np.stack(codec.decode(streams)).astype(int)
    return Parity(
        bits=differ.size,
        differing_bits=int(differ.sum()),
        differing_pictures=len(pictures),
        first_margin=float(max(margins, default=0.0)),
        pixels=int(np.abs(shown - painted).max()),
    )


def _bits(streams: Sequence[bytes], codec: RecurrentCodec, iterations: int) -> NDArray[np.float32]:
    """float32 [N, T, bits, 8, 8] of -1 and +1 from whole streams."""
    shape = codec.artifact.manifest.bits_shape
    raw = np.stack([np.frombuffer(s, np.uint8, offset=2) for s in streams])
    sent = np.unpackbits(raw, axis=1).reshape(len(streams), iterations, -1)
    bits = np.empty(sent.shape, np.float32)
    bits[:, :, bit_order(shape)] = sent * np.float32(2) - 1
    return bits.reshape(len(streams), iterations, *shape)


def _torch_bits(
    model: nn.Module, thumbnails: NDArray[np.uint8], iterations: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bits [N, T, ...] and the values whose signs they are."""
    values: list[torch.Tensor] = []
    hook = model.encoder.binarizer.project.register_forward_hook(
        lambda _module, _inputs, output: values.append(output)
    )
    _, codes = model(data.to_network(torch.from_numpy(thumbnails)), iterations)
    hook.remove()
    return torch.stack(codes, 1).numpy(), torch.stack(values, 1).numpy()


def _torch_decode(model: nn.Module, bits: NDArray[np.float32]) -> NDArray[np.int64]:
    """The last picture of each, as integers."""
    states = model.decoder.start(len(bits))
    for t in range(bits.shape[1]):
        picture, states = model.decoder(torch.from_numpy(bits[:, t]), states)
    return data.to_rgb(picture).numpy().astype(int)
