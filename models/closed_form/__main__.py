"""``python -m models.closed_form --data DIR``: photos -> the artifact of the embedded codec."""

from __future__ import annotations

import argparse
import hashlib
import platform
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.closed_form.learning import learn
from models.export.__main__ import ARTIFACTS, score, write
from models.training import data
from service.codec import artifact
from service.codec.embedded import EmbeddedCodec
from service.codec.embedded_tables import Stored
from service.inference import Runtime

NAME = "prefixel"
WIRE_ID = 2
TABLES = "tables.npz"
BATCH = 32
TUNING = 300
"""Validation thumbnails that choices may look at; the scores are of the rest."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.closed_form", description=__doc__)
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
    manifest = artifact.Manifest(
        name=NAME,
        family="embedded",
        wire_id=WIRE_ID,
        version=options.version,
        paper="none: this project's own",
        section="FORMAT.md, Embedded codec",
        config={"maximum_bytes": options.bytes},
        tables=artifact.TableFile(
            file=TABLES, sha256=hashlib.sha256((options.out / TABLES).read_bytes()).hexdigest()
        ),
        graphs={},
        weights_dtype="integers of 8 and 16 bits",
        parameters=sum(getattr(stored, field.name).size for field in fields(Stored)),
        kmac_per_pixel={"encode": TRANSFORM_KMAC, "decode": TRANSFORM_KMAC},
        training=(
            artifact.Training(
                command=f"python -m models.closed_form --thumbnails {options.thumbnails} "
                f"--step {options.step} --bytes {options.bytes} --seed {options.seed}",
                samples=options.thumbnails,
                seconds=round(time.monotonic() - began, 1),
                hardware=options.hardware,
                data_sha256=data.digest(photos),
                seed=options.seed,
                loss="none: statistics",
            ),
        ),
        parity={},
        scores=(),
    )
    write(options.out, manifest)
    codec = EmbeddedCodec(artifact.read(options.out), Runtime("cpu", 1))
    scores = tuple(score(codec, validation.numpy()[TUNING:]))
    write(options.out, manifest.model_copy(update={"scores": scores}))
    size = (options.out / TABLES).stat().st_size
    print(f"{size} bytes of tables, {time.monotonic() - began:.0f} s")
    for line in scores:
        print(f"{line.payload_bytes:4d} bytes: SSIM {line.ssim:.4f}, {line.psnr:.2f} dB")


TRANSFORM_KMAC = 3 * (32 + 32 + 3) / 1000
"""Rows, columns and colours of the transform, a pixel."""


def training_thumbnails(photos: torch.Tensor, count: int, seed: int) -> NDArray[np.uint8]:
    """Random crops as the networks see them: uint8 [count, 32, 32, 3]."""
    generator = torch.Generator().manual_seed(seed)
    batches = [data.random_thumbnails(photos, BATCH, generator) for _ in range(-(-count // BATCH))]
    return np.asarray(torch.cat(batches).numpy()[:count])


if __name__ == "__main__":
    main()
