"""Weights of a session -> the artifact of the codec that is served: graphs, tables, manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.artifact_io import manifests
from models.export import graphs
from models.mentzer import exact, measuring
from models.mentzer.session import forward_gmac, history_of
from models.mentzer.timed import Options
from models.photo import validation
from models.training import kept, photos
from models.zoo.mentzer2018 import rate
from models.zoo.mentzer2018.autoencoder import STRIDE, Config, Normalised
from models.zoo.mentzer2018.codec import Codec
from service.codec import artifact
from service.codec.importance.codec import LEVELS, ImportanceMapCodec
from service.codec.importance.tables import Stored
from service.codec.interface import KMAC_COST
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

NAME, FAMILY, WIRE_ID = "importance-map", "importance-map", 24
PAPER = "Mentzer et al. 2018, Conditional Probability Models for Deep Image Compression"
SECONDS, CORES = 5, 2
"""Half the deadline, and what a photo may take of it, levels measured: its size follows."""
SIDE = 32
"""Of the pictures that graphs are traced with; they take any."""
COUNTED = 160
PARITY_SIDE = 256
SCORED = (512, 1024, 2048, 4096)
HEADER_BYTES = 7
"""Of photos whose sides take two bytes each."""


def read(path: Path) -> Codec:
    """A network of a session, in evaluation mode, its centres in order."""
    model = Codec(Config(**kept.history(path)["config"]))
    model.load_state_dict(kept.read(path))
    centres = model.quantiser.centres
    if not bool((centres.diff() > 0).all()):
        raise ValueError(f"{path}: centres {centres.tolist()} are not ascending")
    return model.eval()


def folded(half: nn.Module) -> nn.Module:
    """A copy whose convolutions hold the normalisation after them, kernels in 8 bits."""
    half = deepcopy(half).eval()
    for name, layer in list(half.named_modules()):
        if isinstance(layer, Normalised):
            parent = half.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], one_layer(layer))
    for name in ("mean", "deviation"):  # graphs keep what has four dimensions in bytes
        half.register_buffer(name, half.get_buffer(name)[0], persistent=False)
    return half


@torch.no_grad()
def one_layer(layer: Normalised) -> nn.Module:
    """A convolution with a bias that does what both do in evaluation mode."""
    norm, conv = layer.norm, deepcopy(layer.conv)
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    axis = 1 if isinstance(conv, nn.ConvTranspose2d) else 0
    gain = norm.weight / (norm.running_var + 1e-5).sqrt()
    shape = [1] * 4
    shape[axis] = -1
    whole, scale = graphs.in_bytes(conv.weight * gain.view(shape), axis, graphs.LARGEST[0])
    conv.weight = nn.Parameter(whole * scale)
    conv.bias = nn.Parameter((norm.bias - norm.running_mean * gain).half().float())
    return conv


@torch.no_grad()
def in_bytes(model: Codec) -> Codec:
    """The network as it is shipped: folded, in 8 bits; its context model as it was."""
    shipped = deepcopy(model)
    shipped.encoder, shipped.decoder = folded(model.encoder), folded(model.decoder)  # type: ignore[assignment]
    return shipped


def write(
    model: Codec,
    stored: Stored,
    head: int,
    training: tuple[artifact.Training, ...],
    out: Path,
) -> None:
    """Graphs, tables and a manifest without parity. ``model`` is as ``in_bytes`` gives it."""
    out.mkdir(parents=True, exist_ok=True)
    config = model.config
    found = config.heads + config.bottleneck
    photo, values = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, config.bottleneck, 4, 4)
    encoder = model.encoder
    if config.heads > 1:
        encoder = nn.Sequential(encoder, Chosen(head, config.heads))  # type: ignore[assignment]
        found -= config.heads - 1
    made = {
        "encoder": graphs.export(
            encoder,
            (photo,),
            ("photo",),
            ("found",),
            out / "encoder.onnx",
            eight_bits=True,
            scales={"photo": STRIDE, "found": 1},
        ),
        "decoder": graphs.export(
            model.decoder,
            (values,),
            ("values",),
            ("picture",),
            out / "decoder.onnx",
            eight_bits=True,
            scales={"values": 1, "picture": STRIDE},
        ),
    }
    path = out / "tables.npz"
    stored.write(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    parts = {"encode": model.encoder, "decode": model.decoder}
    manifest = artifact.Manifest(
        name=NAME,
        family=FAMILY,
        wire_id=WIRE_ID,
        version=1,
        paper=PAPER,
        section="3",
        config=asdict(config),
        tables=artifact.TableFile(file=path.name, sha256=digest),
        graphs={role: artifact.Graph(**asdict(graph)) for role, graph in made.items()},
        opset=graphs.OPSET,
        weights_dtype="int8",
        parameters=sum(p.numel() for half in parts.values() for p in half.parameters()),
        kmac_per_pixel=kmac(model),
        pixel_limit=pixel_limit(kmac(model)),
        on_request=True,
        training=training,
        parity={},
        scores=(),
    )
    for graph in made.values():
        graphs.pack(out / graph.file)
    manifests.write(out, manifest)


class Chosen(nn.Module):
    """One of several importance maps, and z."""

    def __init__(self, head: int, heads: int) -> None:
        super().__init__()
        self.head, self.heads = head, heads

    def forward(self, found: Tensor) -> Tensor:
        """[N, heads + K, h, w] -> [N, 1 + K, h, w]."""
        return torch.cat((found[:, self.head : self.head + 1], found[:, self.heads :]), 1)


def kmac(model: Codec) -> dict[str, float]:
    """Thousand multiplications a pixel, of each half."""
    side = 64
    both = forward_gmac(model, side)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.encoder(torch.zeros(1, 3, side, side))
    encode = counter.get_total_flops() / 2 / side**2 / 1000
    decode = both["picture"] * 1e6 / side**2 - encode
    return {"encode": round(encode, 2), "decode": round(decode, 2)}


def pixel_limit(costs: dict[str, float]) -> int:
    """Pixels that are encoded and measured in ``SECONDS``, in whole places of the volume."""
    nanoseconds = KMAC_COST * (costs["encode"] + LEVELS * costs["decode"])
    return int(SECONDS * CORES * 1e9 / nanoseconds) // STRIDE**2 * STRIDE**2


def trained(
    history: Mapping[str, Any], hardware: Sequence[str], data_sha256: str
) -> list[artifact.Training]:
    """Of ``session.history_of``, the first training first; ``hardware`` of all, or of each.

    Raises ValueError where it is of another number.
    """
    chain = [history]
    while before := chain[0]["before"]:
        chain.insert(0, before)
    if len(hardware) not in (1, len(chain)):
        raise ValueError(f"hardware of {len(hardware)} trainings, but there are {len(chain)}")
    each = hardware if len(hardware) > 1 else hardware * len(chain)
    return [_training(*one, data_sha256) for one in zip(chain, each, strict=True)]


def _training(history: Mapping[str, Any], hardware: str, data_sha256: str) -> artifact.Training:
    run, options, before = history["run"], history["options"], history["before"]
    command = f"python -m models.mentzer session --only {run['name'] if before else run['letter']}"
    for name in ("batch", "crop", "rate"):
        if options[name] != getattr(Options, name):
            command += f" --{name} {options[name]:g}"
    return artifact.Training(
        command=command,
        samples=sum(history["samples"].values()),
        seconds=history["seconds"],
        hardware=hardware,
        data_sha256=data_sha256,
        seed=options["seed"],
        loss=f"100 (1 - MS-SSIM) + 10 max(masked cost, {run['target_bpp']} bits a pixel)",
    )


@torch.no_grad()
def parity(model: Codec, folder: Path, pictures: Tensor, head: int) -> dict[str, float]:
    """The shipped graphs beside the network, and exact tables beside the context model.

    ``pictures`` are uint8 [N, H, W, 3]. Bits a pixel are means; ``context`` are the network's.
    """
    codec = ImportanceMapCodec(artifact.read(folder), Runtime("cpu"))
    pixels = pictures.shape[1] * pictures.shape[2]
    differing = symbols = 0
    farthest, spent, written = 0.0, 0.0, 0.0
    for number in range(len(pictures)):
        picture = pictures[number].numpy()
        stream = codec.stream(picture)
        found, [decided] = codec.parse(stream, [len(stream)])
        coded = model.code(model.encoder(measuring.planes(pictures[number : number + 1])), head)
        ours = (coded.symbols[0] - model.quantiser.of_zero).numpy()
        differing += int((ours != found).sum())
        symbols += decided
        bits = rate.of_symbols(model.bits(coded.values), coded.symbols)
        spent += float(bits.sum()) / pixels / len(pictures)
        written += 8 * len(stream) / pixels / len(pictures)
        told = torch.from_numpy(found.astype(np.int64))[None] + model.quantiser.of_zero
        shown = model.decode(told)[0].permute(1, 2, 0).numpy()
        [painted] = codec.decode([stream])
        farthest = max(farthest, float(np.abs(shown - painted).max()))
    return {
        "differing_symbols": differing,
        "symbols": symbols,
        "pixels": round(farthest, 3),
        "context_bpp": round(spent, 5),
        "exact_bpp": round(written, 5),
    }


def scores_of(folder: Path, pictures: Tensor) -> tuple[artifact.Score, ...]:
    """Mean quality of prefixes of photos, uint8 [N, H, W, 3]."""
    codec = ImportanceMapCodec(artifact.read(folder), Runtime("cpu"))
    shown = [
        list(codec.decode_cuts(codec.stream(one), [HEADER_BYTES + p for p in SCORED]))
        for one in pictures.numpy()
    ]
    rows = []
    for payload, these in zip(SCORED, zip(*shown, strict=True), strict=True):
        pair = pictures.numpy(), np.stack(these)
        ssim, decibels = (float(measure(*pair).mean()) for measure in (block_ssim, psnr))
        rows.append(
            artifact.Score(payload_bytes=payload, ssim=round(ssim, 4), psnr=round(decibels, 2))
        )
    return tuple(rows)


def export(weights: Path, data: Path, out: Path, hardware: Sequence[str]) -> None:
    """All of it, by the highest importance map; prints what the manifest says of parity."""
    model = in_bytes(read(weights))
    head = max(0, model.config.heads - 1)
    tiles = photos.load_tiles(data)
    stored = exact.tables_of(model, tiles[-COUNTED:], head)
    digest = hashlib.sha256(tiles.numpy().tobytes()).hexdigest()
    write(model, stored, head, tuple(trained(history_of(weights), hardware, digest)), out)
    held = validation.load(data, PARITY_SIDE)
    found = parity(model, out, held, head)
    manifest = artifact.read_manifest(out)
    scores = scores_of(out, held)
    manifests.write(out, manifest.model_copy(update={"parity": found, "scores": scores}))
    print(json.dumps(found, indent=1))
    saved = 1 - found["exact_bpp"] / found["context_bpp"]
    print(f"exact streams, headers included, take {saved:.2%} less than the context model says")
