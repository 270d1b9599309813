"""From a folder of artifacts to codecs that are ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.codec import artifact
from service.codec.artifact import Artifact
from service.codec.interface import Codec, Effort
from service.codec.photo.codec import BITS_A_PIXEL, PhotoCodec
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.recurrent.adaptive_patches import PatchCodec
from service.codec.recurrent.codec import RecurrentCodec
from service.errors import ArtifactError, ConfigurationError
from service.inference import Runtime


@dataclass(frozen=True, slots=True)
class Encoding:
    """How streams are made: with which effort, and photos in how many bits a pixel at most."""

    effort: Effort = "default"
    bits_a_pixel: float = BITS_A_PIXEL


DEFAULT_ENCODING = Encoding()
FAMILIES: dict[str, Callable[[Artifact, Runtime, Encoding], Codec]] = {
    "embedded": lambda artifact, runtime, how: EmbeddedCodec(artifact, runtime, how.effort),
    "patches": lambda artifact, runtime, _: PatchCodec(artifact, runtime),
    "photo": lambda artifact, runtime, how: PhotoCodec(
        artifact, runtime, bits_a_pixel=how.bits_a_pixel
    ),
    "recurrent": lambda artifact, runtime, _: RecurrentCodec(artifact, runtime),
}
"""What a family leaves no choice of, it does in its one way."""


def available(artifacts: Path) -> tuple[str, ...]:
    """Names of the artifacts below a folder, sorted. Raises ArtifactError when it has none."""
    names = tuple(sorted(path.parent.name for path in artifacts.glob(f"*/{artifact.MANIFEST}")))
    if not names:
        raise ArtifactError(f"{artifacts} holds no artifact (a folder with a {artifact.MANIFEST})")
    return names


def load_codecs(
    artifacts: Path, names: Sequence[str], runtime: Runtime, how: Encoding = DEFAULT_ENCODING
) -> dict[str, Codec]:
    """Load the codecs of these names, or all that are there when ``names`` is empty.

    Raises ConfigurationError for a name that is not there, ArtifactError for one that is damaged.
    """
    there = available(artifacts)
    codecs: dict[str, Codec] = {}
    for name in names or there:
        if name not in there:
            raise ConfigurationError(
                f"no artifact for the codec {name!r}; there are: {', '.join(there)}"
            )
        codec = load_codec(artifacts / name, runtime, how)
        taken = [c.name for c in codecs.values() if c.wire_id == codec.wire_id]
        if taken:
            raise ArtifactError(f"{name} and {taken[0]} share the wire id {codec.wire_id}")
        codecs[codec.name] = codec
    return codecs


def names_by_wire_id(artifacts: Path, names: Sequence[str]) -> dict[int, str]:
    """Which of these codecs, or of all, has which wire id; none is loaded. Raises ArtifactError."""
    there = names or available(artifacts)
    return {artifact.read(artifacts / name).manifest.wire_id: name for name in there}


def load_codec(folder: Path, runtime: Runtime, how: Encoding = DEFAULT_ENCODING) -> Codec:
    """Load one artifact folder. Raises ArtifactError for an unknown family or a damaged file."""
    opened = artifact.read(folder)
    family = opened.manifest.family
    if family not in FAMILIES:
        raise ArtifactError(f"{folder} is of the family {family!r}, not {', '.join(FAMILIES)}")
    return FAMILIES[family](opened, runtime, how)
