"""``python -m models.export SYSTEM --run DIR --data DIR``: weights -> an artifact, checked."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models.artifact_io.manifests import ARTIFACTS, history, score, write
from models.export import graphs, parity
from models.training import data
from models.zoo.catalogue import SYSTEMS
from models.zoo.progressive import Progressive
from service.codec import artifact
from service.codec.recurrent.codec import RecurrentCodec
from service.codec.registry import load_codec
from service.inference import Runtime


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export", description=__doc__)
    parser.add_argument("system", choices=sorted(SYSTEMS))
    parser.add_argument(
        "--run",
        type=Path,
        required=True,
        nargs="+",
        help="training folders in their order; the last holds the weights",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder the run was trained on")
    parser.add_argument(
        "--after", type=Path, help="artifact that the first run began with: its history is kept"
    )
    parser.add_argument("--out", type=Path, help="default: models/artifacts/SYSTEM")
    parser.add_argument("--hardware", default=f"CPU, {platform.machine()}", help="for the manifest")
    parser.add_argument("--iterations", type=int, help="of a stream, where fewer than trained")
    parser.add_argument("--version", type=int, default=1, help="version in the stream's header")
    return parser.parse_args()


def main() -> None:
    """Export, check parity, score, write the manifest."""
    options = arguments()
    system = SYSTEMS[options.system]
    state = torch.load(options.run[-1] / "checkpoint.pt", map_location="cpu", weights_only=True)
    config = system.configs[state["plan"]["config"]]
    if options.iterations:
        config = replace(config, iterations=options.iterations)
    model = system.build(config)
    model.load_state_dict(state["averaged"])
    graphs.round_to_half(model)
    out = options.out or ARTIFACTS / options.system
    photos, validation = data.load(options.data)
    earlier = artifact.read(options.after).manifest.training if options.after else ()
    digest = data.digest(photos)
    trained = (*earlier, *(history(run, digest, options.hardware) for run in options.run))
    manifest = export(options.system, model, config, out, options.version, trained)
    codec = load_codec(out, Runtime("cpu"))
    assert isinstance(codec, RecurrentCodec)
    found = parity.compare(model, codec, validation.numpy())
    print(
        f"{found.differing_bits} of {found.bits} bits differ between torch and ONNX Runtime, in "
        f"{found.differing_pictures} of {len(validation)} pictures; the first of each stood at "
        f"|value| <= {found.first_margin:.1e}, rounding decides its sign; "
        f"decoders differ by at most {found.pixels} of 255"
    )
    scores = tuple(score(codec, validation.numpy()[300:]))
    write(out, manifest.model_copy(update={"parity": asdict(found), "scores": scores}))
    for line in scores:
        print(f"{line.payload_bytes:4d} bytes: SSIM {line.ssim:.4f}, {line.psnr:.2f} dB")


def export(
    name: str,
    model: Progressive,
    config: Any,
    out: Path,
    version: int,
    training: tuple[artifact.Training, ...],
) -> artifact.Manifest:
    """Write a system's graphs and a manifest that has neither parity nor scores yet."""
    system = SYSTEMS[name]
    out.mkdir(parents=True, exist_ok=True)
    encoder, decoder = model.encoder, model.decoder
    exported = {
        "encoder": graphs.export_half(
            encoder,
            torch.zeros(2, 3, 32, 32),
            encoder.start(2),
            ("residual", "bits"),
            out / "encoder.onnx",
        ),
        "decoder": graphs.export_half(
            decoder,
            torch.zeros(2, *config.bits_shape),
            decoder.start(2),
            ("bits", "picture"),
            out / "decoder.onnx",
        ),
    }
    manifest = artifact.Manifest(
        name=name,
        family=system.family,
        wire_id=system.wire_id,
        version=version,
        paper=system.paper,
        section=system.section,
        config=asdict(config),
        iterations=config.iterations,
        bits_shape=config.bits_shape,
        graphs={role: artifact.Graph(**asdict(graph)) for role, graph in exported.items()},
        opset=graphs.OPSET,
        weights_dtype="float16",
        parameters=sum(p.numel() for p in model.parameters()),
        kmac_per_pixel=complexity(model, config.iterations),
        training=training,
        parity={},
        scores=(),
    )
    for graph in exported.values():
        graphs.pack(out / graph.file)
    write(out, manifest)
    return manifest


def complexity(model: nn.Module, iterations: int) -> dict[str, float]:
    """Thousand multiplications a pixel of 32x32: one iteration of each half, and all of them."""
    with FlopCounterMode(display=False) as encoder, torch.no_grad():
        bits, _ = model.encoder(torch.zeros(1, 3, 32, 32), model.encoder.start(1))
    with FlopCounterMode(display=False) as decoder, torch.no_grad():
        model.decoder(bits, model.decoder.start(1))
    encode, decode = (c.get_total_flops() / 2 / 1024 / 1000 for c in (encoder, decoder))
    return {
        "encoder_iteration": round(encode, 2),
        "decoder_iteration": round(decode, 2),
        "encode": round((encode + decode) * iterations, 1),
        "decode": round(decode * iterations, 1),
    }


if __name__ == "__main__":
    main()
