"""``python -m models.photo.closed_form --data DIR --out DIR``: the tables of `photo`, counted."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from models.photo import learning
from models.training import photos
from service.codec.artifact import MANIFEST
from service.codec.registry import load_codec
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

PAPER = "Shapiro 1993; Li and Lei 1999; Taubman 2000; Mahoney 2005"
WIRE_ID = 16
TABLES = "tables.npz"
SCORED_BYTES = (512, 2048, 8192, 32768)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.photo.closed_form", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of photos-train*.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder of the artifact")
    parser.add_argument("--version", type=int, default=0, help="0: a draft (default)")
    parser.add_argument("--tiles", type=int, default=400, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Count, write the tables and the manifest."""
    options = arguments()
    began = time.monotonic()
    tiles = photos.load(options.data)[0].numpy()
    chosen = np.random.default_rng(options.seed).permutation(len(tiles))[: options.tiles]
    picked = [tiles[n] for n in chosen]
    stored = learning.make(picked)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / TABLES
    stored.write(path)
    pixels = hashlib.sha256(b"".join(tile.tobytes() for tile in picked)).hexdigest()
    manifest = {
        "name": "photo",
        "family": "photo",
        "wire_id": WIRE_ID,
        "version": options.version,
        "paper": PAPER,
        "section": "closed form",
        "config": {},
        "tables": {"file": TABLES, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "graphs": {},
        "weights_dtype": "integer tables",
        "parameters": int(stored.logits.size + stored.mixing.size + stored.slopes.size),
        "kmac_per_pixel": {},
        "training": [
            {
                "command": "python -m models.photo.closed_form " + _without_paths(sys.argv[1:]),
                "samples": len(picked),
                "seconds": round(time.monotonic() - began, 1),
                "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
                "data_sha256": pixels,
                "seed": options.seed,
                "loss": "none: counted",
            }
        ],
        "parity": {},
        "scores": [],
    }
    path_of_manifest = options.out / MANIFEST
    path_of_manifest.write_text(json.dumps(manifest, indent=1) + "\n")
    manifest["scores"] = scores(options.out, options.data)
    path_of_manifest.write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {time.monotonic() - began:.0f} s")


def scores(folder: Path, data: Path) -> list[dict[str, float]]:
    """Mean quality of prefixes over ``photos-validation/*.png``, by length without header."""
    codec = load_codec(folder, Runtime("cpu", 1))
    pictures = [
        np.asarray(Image.open(path).convert("RGB"))
        for path in sorted((data / "photos-validation").glob("*.png"))
    ]
    found = []
    for picture in pictures:
        [encoded] = codec.encode([picture], [1.0])
        header_bytes = codec.header(encoded.stream).length_bytes
        shown = codec.decode_cuts(encoded.stream, [n + header_bytes for n in SCORED_BYTES])
        found.append(
            [
                (
                    float(block_ssim(picture[None], one[None])[0]),
                    float(psnr(picture[None], one[None])[0]),
                )
                for one in shown
            ]
        )
    return [
        {"payload_bytes": length, "ssim": round(ssim, 4), "psnr": round(decibels, 2)}
        for length, (ssim, decibels) in zip(
            SCORED_BYTES, np.mean(np.array(found), 0).tolist() if found else [], strict=False
        )
    ]


def _without_paths(words: list[str]) -> str:
    """The options as typed, folders by their names for them."""
    shown = list(words)
    for flag, name in (("--data", "DIR"), ("--out", "ARTIFACT")):
        if flag in shown:
            shown[shown.index(flag) + 1] = name
    return shlex.join(shown)


if __name__ == "__main__":
    main()
