"""``python -m models.prefixel.export --run DIR --data DIR``: a training run -> the artifact."""

from __future__ import annotations

import argparse
import csv
import json
import platform
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.artifact_io.manifests import ARTIFACTS, write
from models.export import graphs
from models.prefixel.closed_form.manifest import NAME, TABLES, TUNING, manifest_of, write_scored
from models.prefixel.gradient import Gradient
from models.prefixel.networks import CONFIGS, Correction, Networks
from models.prefixel.training import EmbeddedPlan
from models.training import compute, data
from service.codec import artifact
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.prefixel.reconstruction import PRECISIONS
from service.inference import Runtime

PICTURE = (2, 32, 32, 3)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.prefixel.export", description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, required=True, nargs="+", help="training folders; the last has all")
    add("--data", type=Path, required=True, help="folder that the run was trained on")
    add("--after", type=Path, help="artifact that the first run began with: its history is kept")
    add("--out", type=Path, default=ARTIFACTS / NAME, help="(%(default)s)")
    add("--bytes", type=int, default=512, help="longest stream (%(default)s)")
    add("--entries", type=int, default=12_000, help="of the order, in a stream (%(default)s)")
    add("--hardware", default=f"CPU, {platform.machine()}", help="for the manifest")
    add("--version", type=int, default=0, help="version in the stream's header (%(default)s)")
    add("--weights", choices=("int8", "float16"), default="int8", help="of the synthesis")
    return parser.parse_args()


def main() -> None:
    """Export, compare with torch, score, write the manifest."""
    options = arguments()
    run: Path = options.run[-1]
    model = networks_of(run)
    options.out.mkdir(parents=True, exist_ok=True)
    earlier = artifact.read(options.after).manifest.training if options.after else ()
    shutil.copy(run / TABLES, options.out / TABLES)
    exported = export(model, options.out, options.weights == "int8")
    photos, validation = data.load(options.data)
    digest = data.digest(photos)
    manifest = manifest_of(
        options.out,
        version=options.version,
        config={"maximum_bytes": options.bytes, "entries": options.entries},
        weights_dtype=f"synthesis {options.weights}, the rest float16, tables of 8 and 16 bits",
        kmac_per_pixel=complexity(model),
        training=(*earlier, *(history(r, digest, options.hardware) for r in options.run)),
        networks=exported,
        parameters=sum(p.numel() for p in model.parameters()),
    )
    write(options.out, manifest)
    codec = EmbeddedCodec(artifact.read(options.out), Runtime("cpu"))
    parity = compare(model, codec, validation.numpy()[:TUNING])
    print(json.dumps(parity))
    manifest = manifest.model_copy(update={"parity": parity})
    write_scored(options.out, manifest, codec, validation.numpy())


def networks_of(run: Path) -> Networks:
    """The averaged networks of a training folder, with all their bits."""
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    model = Networks(CONFIGS[state["plan"]["config"]])
    model.load_state_dict(state["averaged"])
    return model.eval()


def export(model: Networks, folder: Path, eight_bits: bool) -> dict[str, graphs.Exported]:
    """Write the graphs; ``model`` is left with the weights that they hold."""
    picture, known = torch.zeros(PICTURE), torch.zeros(PICTURE[0], PRECISIONS)
    target, weight = torch.zeros(PICTURE), torch.zeros(PICTURE[0])
    graphs.round_to_half(model)
    graph = graphs.export
    found = {
        "synthesis": export_synthesis(model.synthesis, folder, eight_bits),
        "gradient": graph(
            *(Gradient(model.synthesis), (picture, known, target, weight)),
            *(("painted", "known", "target", "weight"), ("distortion", "slope")),
            folder / "gradient.onnx",
            eight_bits=eight_bits,
        ),
    }
    if model.analysis is not None:
        found["analysis"] = graph(
            *(model.analysis, (picture,), ("picture",), ("analysed",)), folder / "analysis.onnx"
        )
    return found


def export_synthesis(network: Correction, folder: Path, eight_bits: bool) -> graphs.Exported:
    """Write its graph alone; ``network`` is left with the weights that it holds."""
    graphs.round_to_half(network)
    if eight_bits:
        round_kernels(network)
    return graphs.export(
        *(network, (torch.zeros(PICTURE), torch.zeros(PICTURE[0], PRECISIONS))),
        *(("painted", "known"), ("picture",)),
        folder / "synthesis.onnx",
        eight_bits=eight_bits,
    )


def round_kernels(network: Correction) -> None:
    """Give all but the two layers that tell the weights that bytes hold.

    Blocks and steering have 63 levels; what all that loses is in docs/evaluation/ablation.md.
    """
    most, few, *_ = graphs.LARGEST
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and not name.startswith("told."):
                largest = most if name.startswith("convs.") else few
                weight.copy_(graphs.round_to_bytes(weight, largest))


def complexity(model: Networks) -> dict[str, float]:
    """Thousand multiplications a pixel of the networks."""

    class Half(torch.nn.Module):
        def __init__(self, inner: Correction) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, planes: Tensor, _: int) -> Tensor:
            known = planes.new_zeros(len(planes), self.inner.known) if self.inner.known else None
            picture: Tensor = self.inner(planes.permute(0, 2, 3, 1), known)
            return picture

    halves = {"decode": model.synthesis, "encode": model.analysis}
    return {
        name: round(compute.macs(Half(half), 1) / 1024 / 1000, 2)
        for name, half in halves.items()
        if half is not None
    }


def history(run: Path, data_sha256: str, hardware: str) -> artifact.Training:
    """What a training folder says of itself: the options that differ from the defaults."""
    plan = json.loads((run / "plan.json").read_text())
    with (run / "log.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    options = []
    for field in fields(EmbeddedPlan):
        value = plan.get(field.name, field.default)
        value = tuple(value) if isinstance(value, list) else value
        if field.name in ("system", "iterations") or value == field.default:
            continue
        name = field.name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{name}" if value else f"--no-{name}")
        else:
            text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            options.append(f"--{name} {text}")
    return artifact.Training(
        command=" ".join(["python -m models.prefixel", *options]),
        samples=int(float(last["samples"])),
        seconds=float(last["seconds"]),
        hardware=hardware,
        data_sha256=data_sha256,
        seed=plan["seed"],
        loss=f"{plan['squared_weight']} squared error + {plan['ssim_weight']} (1 - SSIM), bits",
    )


@torch.no_grad()
def compare(model: Networks, codec: EmbeddedCodec, thumbnails: np.ndarray) -> dict[str, float]:
    """Largest differences between torch and ONNX Runtime, in levels of 255."""
    photo = torch.from_numpy(thumbnails).float()
    known = torch.rand(len(photo), PRECISIONS, generator=torch.Generator().manual_seed(1)) * 6
    painted = codec.network("synthesis").run({"painted": photo.numpy(), "known": known.numpy()})
    pairs = [("synthesis", model.painted(photo, known), painted["picture"])]
    if model.analysis is not None:
        analysed = codec.network("analysis").run({"picture": photo.numpy()})
        pairs.append(("analysis", model.analysed(photo), analysed["analysed"]))
    return {name: float(np.abs(a.numpy() - b).max()) for name, a, b in pairs}


if __name__ == "__main__":
    main()
