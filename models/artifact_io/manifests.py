"""Manifests written: where artifacts lie, how they were trained, what they score."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np

from service.codec import artifact
from service.codec.header import HEADER_BYTES
from service.codec.interface import Codec
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

ARTIFACTS = Path(__file__).parent.parent / "artifacts"
SCORED_PAYLOADS = (16, 32, 48, 64, 96, 128, 192, 256)


def score(codec: Codec, thumbnails: np.ndarray) -> list[artifact.Score]:
    """Mean SSIM and PSNR of prefixes, over uint8 [N, 32, 32, 3]."""
    streams = [e.stream for e in codec.encode(thumbnails, [1.0] * len(thumbnails))]
    rows = []
    for payload in (p for p in SCORED_PAYLOADS if p <= codec.maximum_bytes - HEADER_BYTES):
        shown = np.stack(codec.decode([s[: HEADER_BYTES + payload] for s in streams]))
        rows.append(
            artifact.Score(
                payload_bytes=payload,
                ssim=round(float(block_ssim(thumbnails, shown).mean()), 5),
                psnr=round(float(psnr(thumbnails, shown).mean()), 3),
            )
        )
    return rows


def history(run: Path, data_sha256: str, hardware: str) -> artifact.Training:
    """What a training folder says of itself."""
    plan = json.loads((run / "plan.json").read_text())
    with (run / "log.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    return artifact.Training(
        command=f"python -m models.training {plan['system']} --config {plan['config']} "
        f"--samples {plan['samples']} --iterations {plan['iterations']} --batch {plan['batch']} "
        f"--rate {plan['rate']} --loss {plan['loss']} --seed {plan['seed']}"
        + "".join(f" --{flag}" for flag in ("relative", "signs") if plan.get(flag)),
        samples=int(float(last["samples"])),
        seconds=float(last["seconds"]),
        hardware=hardware,
        data_sha256=data_sha256,
        seed=plan["seed"],
        loss=plan["loss"],
    )


def file_of(path: Path) -> artifact.TableFile:
    """What a manifest says of a file of tables."""
    return artifact.TableFile(file=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def write(folder: Path, manifest: artifact.Manifest) -> None:
    """Write manifest.json."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=1)
    (folder / artifact.MANIFEST).write_text(text + "\n")
