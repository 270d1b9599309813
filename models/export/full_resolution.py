"""The recurrent codecs for any size as graphs: one iteration of each half, height and width free.

    encoder.onnx  residual [N, 3, 16h, 16w], state_0 ...  ->  bits [N, 32, h, w], next_0 ...
    decoder.onnx  bits, state_0 ...  ->  output [N, 3, 16h, 16w], next_0 ...
    gain.onnx     picture [N, 3, 32h, 32w]  ->  gain [N, 1, 32h, 32w]     (residual scaling only)

What lies between them is arithmetic of the codec: x_t = output / gain + gamma x_{t-1}, and how
often a half runs before its result counts (priming, diffusion). Weights are bytes with a scale an
output of a convolution, or float16.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.export.graphs import (
    LARGEST,
    Exported,
    Flat,
    export,
    round_to_bytes,
    round_to_half,
)
from models.zoo.johnston2017 import codec as johnston2017
from models.zoo.toderici2016 import codec as toderici2016
from models.zoo.toderici2016.network import BITS, TILE, Decoder, Encoder

Codec = toderici2016.Codec | johnston2017.Codec
EXAMPLE = 2, 2, 3
"""Pictures, rows and columns of bits while a graph is traced: any that are not 0 or 1."""


def round_weights(model: nn.Module, eight_bits: bool, largest: int = LARGEST[0]) -> None:
    """Give the model the weights that are shipped, so that parity compares like with like.

    ``largest`` is that of the whole numbers which ``eight_bits`` keeps.
    """
    round_to_half(model)
    if not eight_bits:
        return
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.copy_(round_to_bytes(layer.weight, largest))


def export_graphs(model: Codec, out: Path, *, eight_bits: bool) -> dict[str, Exported]:
    """Write the graphs of a model whose weights are rounded; by role."""
    out.mkdir(parents=True, exist_ok=True)
    batch, rows, columns = EXAMPLE
    encoder, decoder = model.encoder, model.decoder
    picture, bits = (
        torch.zeros(batch, 3, TILE * rows, TILE * columns),
        torch.zeros(batch, BITS, rows, columns),
    )
    exported = {
        "encoder": _half(encoder, picture, ("residual", "bits"), out / "encoder.onnx", eight_bits),
        "decoder": _half(decoder, bits, ("bits", "output"), out / "decoder.onnx", eight_bits),
    }
    if isinstance(model, toderici2016.Codec) and model.gain is not None:
        exported["gain"] = export(
            model.gain,
            (torch.zeros(batch, 3, 2 * TILE * rows, 2 * TILE * columns),),
            ("picture",),
            ("gain",),
            out / "gain.onnx",
            eight_bits=eight_bits,
            scales=dict.fromkeys(("picture", "gain"), 2 * TILE),
        )
    return exported


def _half(
    half: Encoder | Decoder,
    value: torch.Tensor,
    names: tuple[str, str],
    path: Path,
    eight_bits: bool,
) -> Exported:
    batch, rows, columns = EXAMPLE
    # a cell's states begin as one tensor, which a trace would take for one input
    states = [state.clone() for state in half.start(batch, TILE * rows, TILE * columns)]
    inputs = (names[0], *(f"state_{n}" for n in range(len(states))))
    outputs = (names[1], *(f"next_{n}" for n in range(len(states))))
    result, _ = half(value, states)
    shown = dict(zip((*inputs, names[1]), (value, *states, result), strict=True))
    scales = {name: tensor.shape[2] // rows for name, tensor in shown.items()}
    scales |= {f"next_{n}": scales[f"state_{n}"] for n in range(len(states))}
    arguments = (value, *states)
    return export(
        Flat(half),
        arguments,
        inputs,
        outputs,
        path,
        nested_from=1,
        eight_bits=eight_bits,
        scales=scales,
    )
