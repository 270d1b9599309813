"""``python -m models.photo.search --weights FILE.npz``: what an encoder's search needs.

Writes the way back through the synthesis as a graph, and a table of what the search knows of rates
(learned beside the networks) and of eyes (SSIMULACRA2's weights, from its package), into an
artifact that has networks already, and enters both in its manifest. Streams stay what they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from models.artifact_io.manifests import ARTIFACTS, file_of, write
from models.export import graphs
from models.export.recurrent import packed
from models.photo import perceived
from models.photo.gradient import Gradient
from models.photo.networks import COEFFICIENTS, SHAPES, TOLD, Networks
from models.photo.stages import read
from models.training import kept
from service.codec import artifact

NAME = "photo"
GRADIENT, TABLE = "gradient", "search.npz"


def main() -> None:
    """Export, and enter in the manifest."""
    parser = argparse.ArgumentParser(
        prog="python -m models.photo.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--weights", type=Path, required=True, help="kept weights of the same training (.npz)")
    add("--config", choices=sorted(SHAPES), default="full")
    add("--out", type=Path, default=ARTIFACTS / NAME, help="(%(default)s)")
    options = parser.parse_args()
    networks = Networks(SHAPES[options.config])
    networks.load_state_dict(read(options.out))
    exported = export(networks.eval(), options.out)
    weights = kept.read(options.weights)["rate.weights"]
    eyes = perceived.weights(torch.device("cpu"))
    np.savez_compressed(
        options.out / TABLE,
        rate=functional.softplus(weights).half().numpy(),
        seen=eyes.numpy(),
    )
    manifest = artifact.read_manifest(options.out)
    changed = {
        "graphs": manifest.graphs | {GRADIENT: exported},
        "search": file_of(options.out / TABLE),
    }
    write(options.out, manifest.model_copy(update=changed))


def export(networks: Networks, folder: Path) -> artifact.Graph:
    """Write the way back through the synthesis, packed."""
    cells, slope = (torch.zeros(2, COEFFICIENTS, 6, 5) for _ in range(2))  # one each
    path = folder / f"{GRADIENT}.onnx"
    found = graphs.export(
        Gradient(networks.synthesis),
        (cells, torch.zeros(2, TOLD), slope),
        ("cells", "told", "slope"),
        ("along",),
        path,
        eight_bits=True,
        scales={"cells": 1, "slope": 1, "along": 1},
    )
    return packed(folder, found)


if __name__ == "__main__":
    main()
