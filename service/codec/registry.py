"""From a folder of artifacts to codecs that are ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from service.codec import artifact
from service.codec.artifact import Artifact
from service.codec.interface import Codec, Effort
from service.codec.photo.codec import PhotoCodec
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.recurrent.adaptive_patches import PatchCodec
from service.codec.recurrent.codec import RecurrentCodec
from service.errors import ArtifactError, ConfigurationError
from service.inference import Runtime

FAMILIES: dict[str, Callable[[Artifact, Runtime, Effort], Codec]] = {
    "embedded": EmbeddedCodec,
    "patches": lambda artifact, runtime, _: PatchCodec(artifact, runtime),
    "photo": lambda artifact, runtime, _: PhotoCodec(artifact, runtime),
    "recurrent": lambda artifact, runtime, _: RecurrentCodec(artifact, runtime),
}
"""A family that has one way of encoding takes any effort for it."""


def available(artifacts: Path) -> tuple[str, ...]:
    """Names of the artifacts below a folder, sorted. Raises ArtifactError when it has none."""
    names = tuple(sorted(path.parent.name for path in artifacts.glob(f"*/{artifact.MANIFEST}")))
    if not names:
        raise ArtifactError(f"{artifacts} holds no artifact (a folder with a {artifact.MANIFEST})")
    return names


def load_codecs(
    artifacts: Path, names: Sequence[str], runtime: Runtime, effort: Effort = "default"
) -> dict[str, Codec]:
    """Load the codecs of these names, or all that are there when ``names`` is empty.

    ``effort`` is what their streams are made with.

    Raises ConfigurationError for a name that is not there, ArtifactError for one that is damaged.
    """
    there = available(artifacts)
    codecs: dict[str, Codec] = {}
    for name in names or there:
        if name not in there:
            raise ConfigurationError(
                f"no artifact for the codec {name!r}; there are: {', '.join(there)}"
            )
        codec = load_codec(artifacts / name, runtime, effort)
        taken = [c.name for c in codecs.values() if c.wire_id == codec.wire_id]
        if taken:
            raise ArtifactError(f"{name} and {taken[0]} share the wire id {codec.wire_id}")
        codecs[codec.name] = codec
    return codecs


def load_codec(folder: Path, runtime: Runtime, effort: Effort = "default") -> Codec:
    """Load one artifact folder. Raises ArtifactError for an unknown family or a damaged file."""
    opened = artifact.read(folder)
    family = opened.manifest.family
    if family not in FAMILIES:
        raise ArtifactError(f"{folder} is of the family {family!r}, not {', '.join(FAMILIES)}")
    return FAMILIES[family](opened, runtime, effort)
