"""``python -m models.export.recurrent NAME --weights FILE.npz --data DIR``: a codec of any size.

Weights that were kept (``models.training.kept``) become an artifact: kernels of five or six bits a
weight, graphs packed. Prints what that loses and how far torch and ONNX Runtime agree.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.artifact_io.manifests import ARTIFACTS, write
from models.export import graphs
from models.export.full_resolution import Codec, export_graphs, round_weights
from models.export.recurrent_parity import compare
from models.training import kept, photos
from models.training.data import to_network
from models.zoo.full_resolution import SYSTEMS
from models.zoo.toderici2016.network import TILE
from service.codec import artifact
from service.codec.recurrent.full_resolution import (
    KMAC_COST,
    POSITION_BYTES,
    FullResolutionCodec,
)
from service.codec.registry import load_codec
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

SECONDS, CORES = 4.5, 2
"""Half the deadline less a tenth, and what a photo may take of it: its size follows.

The artifacts before ``gru-prime`` count 5 seconds, which their largest photos keep."""
SCORED = (1, 2, 4, 8, 16)
"""Iterations that a manifest gives the quality of."""
SIDE = 128
VERSION = 1


@dataclass(frozen=True)
class Shipped:
    """A codec's wire id, its network, where its paper describes it, bits that a weight keeps."""

    wire_id: int
    system: str
    section: str
    bits: int = 6


CODECS = {
    "gru-dssim": Shipped(17, "gru", "sections 3.1 and 3.2"),
    "gru-prime": Shipped(18, "gru-prime", "sections 3.2 and 3.3"),
    "lstm-scaling": Shipped(
        20, "lstm-scaling", "supplement: LSTM, residual scaling, thumbnails", 5
    ),
    "gru-thumbs": Shipped(21, "gru-one-shot", "supplement: GRU, one-shot, thumbnails"),
    "gru-entropy": Shipped(22, "gru-one-shot", "supplement: GRU, one-shot, high entropy"),
    "residual-gru": Shipped(
        23, "residual-gru-one-shot", "supplement: residual GRU, one-shot, high entropy", 5
    ),
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.export.recurrent",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=CODECS)
    parser.add_argument("--weights", type=Path, required=True, help="a kept file")
    parser.add_argument("--data", type=Path, required=True, help="folder with photos-validation")
    parser.add_argument("--trained-on", type=Path, help="folder of shards, where they are at hand")
    parser.add_argument(
        "--after", type=Path, help="artifact that the training began with: its history is kept"
    )
    parser.add_argument("--hardware", required=True, help="that trained it, for the manifest")
    parser.add_argument("--out", type=Path, help="default: models/artifacts/NAME")
    return parser.parse_args()


def main() -> None:
    """Export, print what is lost, write the manifest."""
    options = arguments()
    torch.set_num_threads(1)
    system = SYSTEMS[CODECS[options.name].system]
    model = system.build(system.configs["small"])
    model.load_state_dict(kept.read(options.weights))
    pictures = middles(options.data)
    all_bits = decibels(model, pictures)
    earlier = artifact.read_manifest(options.after).training if options.after else ()
    trained = (*earlier, *training(options.weights, options.trained_on, options.hardware))
    out = options.out or ARTIFACTS / options.name
    manifest = export(options.name, model, out, trained)
    codec = load_codec(out, Runtime("cpu", 1))
    assert isinstance(codec, FullResolutionCodec)
    found, shown = compare(model, codec, pictures)
    print(f"{all_bits:.3f} dB with all bits, {found.psnr_torch:.3f} with {manifest.weights_dtype}")
    print(found)
    scores = tuple(score(pictures, iteration, shown[iteration - 1]) for iteration in SCORED)
    parity = {**asdict(found), "psnr_all_bits": all_bits}
    write(out, manifest.model_copy(update={"parity": parity, "scores": scores}))
    for line in scores:
        bpp = 8 * line.payload_bytes / SIDE**2
        print(f"{bpp:.3f} bpp: SSIM {line.ssim:.4f}, {line.psnr:.2f} dB")
    print(f"{sum(f.stat().st_size for f in out.iterdir())} bytes in {out}")


def middles(folder: Path) -> np.ndarray:
    """The middles of the photos that are held back: uint8 [N, 128, 128, 3]."""
    held = sorted((folder / "photos-validation").glob("*.png"))
    cut = [photos.middle(photos.opened(path), SIDE) for path in held]
    return np.stack(cut)


def export(
    name: str, model: Codec, out: Path, trained: tuple[artifact.Training, ...]
) -> artifact.Manifest:
    """Round a model's weights, write its graphs and a manifest without parity and scores."""
    shipped, config = CODECS[name], model.config
    round_weights(model, eight_bits=True, largest=2 ** (shipped.bits - 1) - 1)
    kmac = complexity(model)
    block = 4 * TILE * TILE
    limit = int(SECONDS * CORES * 1e9 / (kmac["encode"] * KMAC_COST)) // block * block
    manifest = artifact.Manifest(
        name=name,
        family="full-resolution",
        wire_id=shipped.wire_id,
        version=VERSION,
        paper=SYSTEMS[shipped.system].paper,
        section=shipped.section,
        config={
            "encoder": config.widths.encoder,
            "decoder": config.widths.decoder,
            "gamma": round(getattr(model, "gamma", 0)),
            "priming": getattr(config, "priming", 0),
            "diffusion": getattr(config, "diffusion", 0),
        },
        iterations=config.iterations,
        graphs={
            role: packed(out, graph)
            for role, graph in export_graphs(model, out, eight_bits=True).items()
        },
        opset=graphs.OPSET,
        weights_dtype=f"{shipped.bits} bits",
        parameters=sum(p.numel() for p in model.parameters()),
        kmac_per_pixel=kmac,
        pixel_limit=limit,
        on_request=True,
        training=trained,
        parity={},
        scores=(),
    )
    write(out, manifest)
    return manifest


def packed(folder: Path, graph: graphs.Exported) -> artifact.Graph:
    """In place of a graph's file, the same packed: six bits a weight lie in bytes."""
    path = folder / graph.file
    data = lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
    path.unlink()
    target = path.with_suffix(path.suffix + artifact.PACKED)
    target.write_bytes(data)
    written = replace(graph, file=target.name, sha256=hashlib.sha256(data).hexdigest())
    return artifact.Graph(**asdict(written))


def complexity(model: Codec) -> dict[str, float]:
    """Thousand multiplications a pixel: one run of each half, and all that a whole stream takes."""
    side = 4 * TILE
    with FlopCounterMode(display=False) as encoder, torch.no_grad():
        bits, _ = model.encoder(torch.zeros(1, 3, side, side), model.encoder.start(1, side, side))
    with FlopCounterMode(display=False) as decoder, torch.no_grad():
        picture, _ = model.decoder(bits, model.decoder.start(1, side, side))
        if (gain := getattr(model, "gain", None)) is not None:
            gain(picture)
    encode, decode = (c.get_total_flops() / 2 / side**2 / 1000 for c in (encoder, decoder))
    iterations, config = model.config.iterations, model.config
    extra: Any = getattr(config, "extra", lambda _: 0)
    runs = iterations + sum(extra(t) for t in range(iterations))
    return {
        "encoder_iteration": round(encode, 2),
        "decoder_iteration": round(decode, 2),
        "encode": round((encode + decode) * runs, 1),
        "decode": round(decode * runs, 1),
    }


@torch.no_grad()
def decibels(model: Codec, pictures: np.ndarray) -> float:
    """Mean PSNR of the last iteration over uint8 [N, 128, 128, 3]."""
    x: Tensor = to_network(torch.from_numpy(pictures))
    shown = model.eval()(x, model.config.iterations)[0][-1].clamp(-0.9, 0.9)
    error = ((shown - x) * (255 / 1.8)).square().mean((1, 2, 3))
    return round(float((10 * torch.log10(255**2 / error)).mean()), 3)


def score(pictures: np.ndarray, iteration: int, shown: np.ndarray) -> artifact.Score:
    """Mean SSIM and PSNR after an iteration, over uint8 [N, 128, 128, 3]."""
    return artifact.Score(
        payload_bytes=iteration * POSITION_BYTES * (SIDE // TILE) ** 2,
        ssim=round(float(block_ssim(pictures, shown).mean()), 5),
        psnr=round(float(psnr(pictures, shown).mean()), 3),
    )


def training(weights: Path, folder: Path | None, hardware: str) -> tuple[artifact.Training, ...]:
    """What a kept file says of its training: of a session's run, or of a training alone."""
    history = kept.history(weights)
    plan, last = history["plan"], history["last"]
    if "name" in plan:
        command = f"python -m models.training.session --only {plan['name']}"
        command += f" ({plan['seconds']} s, batches of {plan['batch']})"
    else:
        command = (
            f"python -m models.training {plan['system']} --pictures {plan['pictures']}"
            f" --crop {plan['crop']} --samples {plan['samples']} --batch {plan['batch']}"
            f" --rate {plan['rate']} --loss {plan['loss']}" + " --signs" * bool(plan.get("signs"))
        )
    return (
        artifact.Training(
            command=command,
            samples=int(float(last["samples"])),
            seconds=float(last.get("seconds", plan.get("seconds", 0))),
            hardware=hardware,
            data_sha256=digest(folder, plan["pictures"]) if folder else "not recorded",
            seed=plan.get("seed", 1),
            loss=plan["loss"],
            gmac=round(float(last["gmac"]), 1),
        ),
    )


def digest(folder: Path, pictures: str) -> str:
    """SHA-256 of the shards of a folder, in their names' order."""
    kind = "thumbs" if pictures == "thumbnails" else "photos"
    total = hashlib.sha256()
    for shard in sorted(folder.glob(f"{kind}-train*.npz")):
        total.update(shard.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    main()
