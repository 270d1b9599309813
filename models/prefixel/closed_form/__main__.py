"""``python -m models.prefixel.closed_form --data DIR``: photos -> an artifact of ``prefixel``."""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.artifact_io.manifests import ARTIFACTS, write
from models.prefixel.closed_form.learning import learn
from models.prefixel.closed_form.manifest import NAME, TABLES, manifest_of, write_scored
from models.training import data
from service.codec import artifact
from service.codec.prefixel.codec import EmbeddedCodec
from service.inference import Runtime

BATCH = 32


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.prefixel.closed_form", description=__doc__
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder as for models.training")
    add("--out", type=Path, default=ARTIFACTS / NAME, help="(%(default)s)")
    add("--thumbnails", type=int, default=16_000, help="random crops to learn from (%(default)s)")
    add("--step", type=float, default=8.0, help="finest cell, of 255 levels (%(default)s)")
    add("--bytes", type=int, default=512, help="longest stream (%(default)s)")
    add("--seed", type=int, default=1, help="of the crops (%(default)s)")
    add("--hardware", default=f"CPU, {platform.machine()}", help="for the manifest")
    add("--version", type=int, default=0, help="version in the stream's header (%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Learn, write, score."""
    options = arguments()
    began = time.monotonic()
    photos, validation = data.load(options.data)
    thumbnails = training_thumbnails(photos, options.thumbnails, options.seed)
    stored = learn(thumbnails, options.step)
    options.out.mkdir(parents=True, exist_ok=True)
    stored.write(options.out / TABLES)
    trained = artifact.Training(
        command=f"python -m models.prefixel.closed_form --thumbnails {options.thumbnails} "
        f"--step {options.step} --bytes {options.bytes} --seed {options.seed}",
        samples=options.thumbnails,
        seconds=round(time.monotonic() - began, 1),
        hardware=options.hardware,
        data_sha256=data.digest(photos),
        seed=options.seed,
        loss="none: statistics",
    )
    manifest = manifest_of(
        options.out,
        version=options.version,
        config={"maximum_bytes": options.bytes},
        weights_dtype="integers of 8 and 16 bits",
        kmac_per_pixel={"encode": TRANSFORM_KMAC, "decode": TRANSFORM_KMAC},
        training=(trained,),
    )
    write(options.out, manifest)
    size = (options.out / TABLES).stat().st_size
    print(f"{size} bytes of tables, {time.monotonic() - began:.0f} s")
    codec = EmbeddedCodec(artifact.read(options.out), Runtime("cpu", 1))
    write_scored(options.out, manifest, codec, validation.numpy())


TRANSFORM_KMAC = 3 * (32 + 32 + 3) / 1000
"""Rows, columns and colours of the transform, a pixel."""


def training_thumbnails(photos: torch.Tensor, count: int, seed: int) -> NDArray[np.uint8]:
    """Random crops as the networks see them: uint8 [count, 32, 32, 3]."""
    generator = torch.Generator().manual_seed(seed)
    batches = [data.random_thumbnails(photos, BATCH, generator) for _ in range(-(-count // BATCH))]
    return np.asarray(torch.cat(batches).numpy()[:count])


if __name__ == "__main__":
    main()
