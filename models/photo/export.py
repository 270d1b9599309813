"""``python -m models.photo.export --weights FILE.npz --data DIR``: kept weights -> the artifact.

Writes the stages of both networks as graphs, counts the tables anew over what the analysis makes of
tiles, takes those of streams without networks from ``--closed-form``, compares what is served with
torch, scores, and writes the manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.artifact_io.manifests import ARTIFACTS, file_of, write
from models.export import graphs
from models.photo import learning
from models.photo.closed_form import TABLES, WIRE_ID, scores
from models.photo.networks import SHAPES, TOLD, CellNetwork, Networks, to_cells
from models.photo.stages import HALO, stages
from models.training import compute, kept, photos
from service.codec import artifact
from service.codec.photo import encoder, tables
from service.codec.photo.cells import CHANNELS, COEFFICIENTS, LEVELS, Split, Units
from service.codec.photo.networks import CellNetwork as Served
from service.codec.photo.threads import Threads
from service.codec.photo.transform import DETAILS
from service.inference import Runtime

NAME = "photo"
PAPER = "Shapiro 1993; Li and Lei 1999; Taubman 2000; Mahoney 2005; Sandler 2018; Perez 2018"
CLOSED_FORM = "closed_form.npz"
ROLES = {"analysis": "float16", "synthesis": "int8"}
"""How the weights of each network are kept."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.photo.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--weights", type=Path, required=True, help="what models.training.kept wrote (.npz)")
    add("--data", type=Path, required=True, help="photos-train*.npz, photos-validation/*.png")
    add("--config", choices=sorted(SHAPES), default="full")
    add("--closed-form", type=Path, default=ARTIFACTS / "photo.1" / TABLES, help="(%(default)s)")
    add("--out", type=Path, default=ARTIFACTS / NAME, help="(%(default)s)")
    add("--version", type=int, default=2, help="version in the stream's header (%(default)s)")
    add("--tiles", type=int, default=240, help="that tables are counted over (%(default)s)")
    add("--first-plane", type=int, default=7, help="that the synthesis is used from (%(default)s)")
    add("--last-plane", type=int, default=1, help="that streams end with (%(default)s)")
    add("--seed", type=int, default=0)
    add("--hardware", default=f"CPU, {platform.machine()}", help="of the training")
    return parser.parse_args()


def main() -> None:
    """Export, count, compare with torch, score, write the manifest."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    networks = networks_of(options.weights, options.config)
    exported = export(networks, options.out)
    tiles = photos.load_tiles(options.data).numpy()
    chosen = np.random.default_rng(options.seed).permutation(len(tiles))[: options.tiles]
    picked = [tiles[n] for n in chosen]
    closed = shutil.copy(options.closed_form, options.out / CLOSED_FORM)
    manifest = manifest_of(options, networks, exported)
    write(options.out, manifest)  # what the analysis is loaded from has no tables yet
    began = time.monotonic()
    runtime = Runtime("cpu", 1)
    opened = artifact.Artifact(options.out, manifest, "")
    analysis, threads = Served(opened, runtime, "analysis"), Threads(1)
    stored = learning.again(
        tables.read(closed),
        picked,
        lambda tile, grid, steps: encoder.analysed(tile, grid, steps, threads, analysis),
    )
    stored.write(options.out / TABLES)
    counted = artifact.Training(
        command=f"python -m models.photo.export --tiles {options.tiles}",
        samples=len(picked),
        seconds=round(time.monotonic() - began, 1),
        hardware=f"{os.cpu_count()} cores, {platform.machine()}",
        data_sha256=hashlib.sha256(b"".join(tile.tobytes() for tile in picked)).hexdigest(),
        seed=options.seed,
        loss="none: counted",
    )
    print(f"tables counted over {len(picked)} tiles in {counted.seconds:.0f} s")
    manifest = manifest.model_copy(
        update={
            "tables": file_of(options.out / TABLES),
            "closed_form": file_of(options.out / CLOSED_FORM),
            "training": (*manifest.training, counted),
            "parity": parity(networks, opened, runtime),
        }
    )
    print(json.dumps(manifest.parity))
    write(options.out, manifest)
    scored = tuple(artifact.Score(**row) for row in scores(options.out, options.data))
    for row in scored:
        print(f"{row.payload_bytes:6d} bytes: SSIM {row.ssim:.4f}, {row.psnr:.2f} dB")
    write(options.out, manifest.model_copy(update={"scores": scored}))


def networks_of(weights: Path, config: str) -> Networks:
    """Both networks of kept weights, with the precision that is shipped."""
    found = kept.read(weights)
    model = Networks(SHAPES[config])
    parts = tuple(ROLES)
    model.load_state_dict({n: w for n, w in found.items() if n.split(".")[0] in parts})
    graphs.round_to_half(model)
    for role, kind in ROLES.items():
        if kind == "int8":
            round_kernels(getattr(model, role))
    return model.eval()


def round_kernels(network: CellNetwork) -> None:
    """Give all matrices and kernels the weights that bytes hold: 35 levels, of what tells 63.

    That packs well, and moved the rates of validation by less than .05 %.
    """
    _, some, few = graphs.LARGEST
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                largest = some if name.startswith("told.") else few
                weight.copy_(graphs.round_to_bytes(weight, largest))


def export(networks: Networks, folder: Path) -> dict[str, graphs.Exported]:
    """Write the stages of both networks."""
    found = {}
    for role, kind in ROLES.items():
        network = getattr(networks, role)
        for number, stage in enumerate(stages(network, is_analysis=role == "analysis")):
            found[f"{role}-{number}"] = _stage(stage, network, number, role, folder, kind)
    return found


def _stage(
    stage: torch.nn.Module, network: CellNetwork, number: int, role: str, folder: Path, kind: str
) -> graphs.Exported:
    write_graph = partial(
        graphs.export, path=folder / f"{role}-{number}.onnx", eight_bits=kind == "int8"
    )
    cells = torch.zeros(2, COEFFICIENTS, 6, 5)
    channels = torch.zeros(2, network.shape.width, 6, 5)
    if number == 0:
        return write_graph(stage, (cells,), ("cells",), ("h",), scales={"cells": 1, "h": 1})
    if number == network.shape.blocks + 1:
        scales: dict[str, int | str] = {"h": 1, "cells": 1, "found": 1}
        return write_graph(stage, (channels, cells), ("h", "cells"), ("found",), scales=scales)
    given: tuple[Tensor, ...] = (torch.zeros(2, network.shape.width, 6 + 2 * HALO, 5 + 2 * HALO),)
    names: tuple[str, ...] = ("h",)
    if network.told is not None:
        given, names = (*given, torch.zeros(2, network.told[0].in_features)), ("h", "told")
    return write_graph(stage, given, names, ("h_next",), scales={"h": "around", "h_next": 1})


def manifest_of(
    options: argparse.Namespace, networks: Networks, exported: dict[str, graphs.Exported]
) -> artifact.Manifest:
    """All that is known before tables are counted."""
    shape = networks.analysis.shape
    return artifact.Manifest(
        name=NAME,
        family="photo",
        wire_id=WIRE_ID,
        version=options.version,
        paper=PAPER,
        section="networks",
        config=asdict(shape)
        | {"first_plane": options.first_plane, "last_plane": options.last_plane},
        graphs={name: artifact.Graph(**asdict(graph)) for name, graph in exported.items()},
        opset=graphs.OPSET,
        weights_dtype="analysis float16, synthesis int8, tables of 8 and 16 bits",
        parameters=sum(p.numel() for p in networks.parameters()),
        kmac_per_pixel=complexity(networks),
        training=(history(options.weights, options.hardware),),
        parity={},
        scores=(),
    )


def history(weights: Path, hardware: str) -> artifact.Training:
    """What kept weights say of their training."""
    with np.load(weights) as z:
        told = json.loads(str(z[kept.HISTORY]))
    plan, last = told["plan"], told["last"]
    options = ("batch", "crop", "cuts", "rate", "structure", "perceived", "rate_weight", "samples")
    words = [f"--{name.replace('_', '-')} {plan[name]}" for name in options if name in plan]
    return artifact.Training(
        command=" ".join(("python -m models.photo train", *words)),
        samples=int(float(last["samples"])),
        seconds=float(last["seconds"]),
        hardware=hardware,
        data_sha256="",
        seed=plan["seed"],
        loss=(
            f"log of D with {plan['structure']} MS-SSIM, {plan.get('perceived', 0)} of its slopes"
            " SSIMULACRA2's, and bits"
        ),
    )


def complexity(networks: Networks) -> dict[str, float]:
    """Thousand multiplications a pixel of each."""

    class Half(torch.nn.Module):
        def __init__(self, inner: CellNetwork) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, planes: Tensor, _: int) -> Tensor:
            cells = torch.nn.functional.pixel_unshuffle(planes, 8)
            told = planes.new_zeros(len(planes), TOLD) if self.inner.told is not None else None
            addition, gain = self.inner(cells, told)
            return addition + gain

    halves = {"encode": networks.analysis, "decode": networks.synthesis}
    return {
        name: round(compute.macs(Half(half), 1) / 1024 / 1000, 2) for name, half in halves.items()
    }


@torch.no_grad()
def parity(networks: Networks, opened: artifact.Artifact, runtime: Runtime) -> dict[str, float]:
    """Largest differences between torch and the stages that are served, in units of a cell's."""
    draw = np.random.default_rng(1)
    rows, columns = 40, 70  # of cells: more than a tile
    told = torch.from_numpy(draw.random((1, TOLD), np.float32))
    units = Units(np.ones(CHANNELS, np.float32), np.ones((CHANNELS, LEVELS, 3, 2), np.float32))
    found = {}
    for role in ROLES:
        low = [3 * draw.standard_normal((rows, columns), np.float32) for _ in range(CHANNELS)]
        fine = [
            [
                2 * draw.standard_normal((rows * side, columns * side), np.float32)
                for side in (8, 4, 2)
            ]
            for _ in range(CHANNELS)
        ]
        split = Split(low, fine)
        cells = to_cells(*_tensors(split))
        served = Served(opened, runtime, role)
        served.run(split, units, Threads(1), told.numpy() if served.told else None)
        theirs = networks.analysed(cells) if role == "analysis" else networks.known(cells, told)
        found[role] = float((to_cells(*_tensors(split)) - theirs).abs().max())
    return found


def _tensors(split: Split) -> tuple[Tensor, list[Tensor]]:
    """The low-pass picture and details, finest first, as ``models.photo.wavelet`` has them."""
    low = torch.from_numpy(np.stack(split.low)[None])
    details = [
        np.stack([[fine[n][y::2, x::2] for y, x in DETAILS] for fine in split.fine])[None]
        for n in range(LEVELS)
    ]
    return low, [torch.from_numpy(part) for part in details]


if __name__ == "__main__":
    main()
