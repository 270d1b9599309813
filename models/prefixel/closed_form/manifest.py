"""What the artifact of the embedded codec always says, with networks or without, and its scores."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.artifact_io.manifests import score, write
from models.export import graphs
from service.codec import artifact
from service.codec.prefixel import tables as prefixel_tables
from service.codec.prefixel.codec import EmbeddedCodec

NAME = "prefixel"
WIRE_ID = 2
TABLES = "tables.npz"
TUNING = 300
"""Validation thumbnails that choices may look at; the scores are of the rest."""


def manifest_of(
    folder: Path,
    *,
    version: int,
    config: Mapping[str, int],
    weights_dtype: str,
    kmac_per_pixel: dict[str, float],
    training: tuple[artifact.Training, ...],
    networks: Mapping[str, graphs.Exported] | None = None,
    parameters: int = 0,
) -> artifact.Manifest:
    """The manifest of tables that lie in ``folder``, with neither parity nor scores yet.

    ``parameters`` are those of the ``networks``, to which the numbers in the tables are added.
    """
    path = folder / TABLES
    tables = prefixel_tables.read(path)
    return artifact.Manifest(
        name=NAME,
        family="embedded",
        wire_id=WIRE_ID,
        version=version,
        paper="none: this project's own",
        section="FORMAT.md, Embedded codec",
        config=dict(config),
        tables=artifact.TableFile(
            file=TABLES, sha256=hashlib.sha256(path.read_bytes()).hexdigest()
        ),
        graphs={role: artifact.Graph(**asdict(g)) for role, g in (networks or {}).items()},
        opset=graphs.OPSET if networks else None,
        weights_dtype=weights_dtype,
        parameters=parameters + sum(getattr(tables, f.name).size for f in fields(tables)),
        kmac_per_pixel=kmac_per_pixel,
        training=training,
        parity={},
        scores=(),
    )


def write_scored(
    folder: Path,
    manifest: artifact.Manifest,
    codec: EmbeddedCodec,
    validation: NDArray[np.uint8],
) -> None:
    """Score what ``codec`` makes of the thumbnails [N, 32, 32, 3]; write the manifest with that."""
    scores = tuple(score(codec, validation[TUNING:]))
    write(folder, manifest.model_copy(update={"scores": scores}))
    for line in scores:
        print(f"{line.payload_bytes:4d} bytes: SSIM {line.ssim:.4f}, {line.psnr:.2f} dB")
