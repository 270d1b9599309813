"""From a folder of artifacts to codecs that are ready to run.

The module of a family, and with it the compiler, is imported with the first artifact of it: who
brings codecs of their own, or serves one family, starts without the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.codec import artifact
from service.codec.artifact import Artifact
from service.codec.interface import Codec, Effort
from service.codec.versions import VersionedCodec
from service.errors import ArtifactError, ConfigurationError
from service.inference import Runtime
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Encoding:
    """How streams are made: thumbnails and photos each with which effort; photos in how many bits a
    pixel at most (None: what the codec itself takes), and with networks where these are better, or
    never."""

    effort: Effort = "default"
    bits_a_pixel: float | None = None
    networks: bool = True
    photo_effort: Effort = "default"


DEFAULT_ENCODING = Encoding()


def encoding_of(settings: Settings) -> Encoding:
    """As the settings have it."""
    return Encoding(
        settings.effort, settings.photo_bpp, settings.photo_networks, settings.photo_effort
    )


def _embedded(artifact: Artifact, runtime: Runtime, how: Encoding) -> Codec:
    from service.codec.prefixel.codec import EmbeddedCodec

    return EmbeddedCodec(artifact, runtime, how.effort)


def _full_resolution(artifact: Artifact, runtime: Runtime, _: Encoding) -> Codec:
    from service.codec.recurrent.full_resolution import FullResolutionCodec

    return FullResolutionCodec(artifact, runtime)


def _importance_map(artifact: Artifact, runtime: Runtime, _: Encoding) -> Codec:
    from service.codec.importance.codec import ImportanceMapCodec

    return ImportanceMapCodec(artifact, runtime)


def _patches(artifact: Artifact, runtime: Runtime, _: Encoding) -> Codec:
    from service.codec.recurrent.adaptive_patches import PatchCodec

    return PatchCodec(artifact, runtime)


def _photo(artifact: Artifact, runtime: Runtime, how: Encoding) -> Codec:
    from service.codec.photo.codec import BITS_A_PIXEL, PhotoCodec

    most = BITS_A_PIXEL if how.bits_a_pixel is None else how.bits_a_pixel
    return PhotoCodec(
        artifact, runtime, bits_a_pixel=most, networks=how.networks, effort=how.photo_effort
    )


def _recurrent(artifact: Artifact, runtime: Runtime, _: Encoding) -> Codec:
    from service.codec.recurrent.codec import RecurrentCodec

    return RecurrentCodec(artifact, runtime)


FAMILIES: dict[str, Callable[[Artifact, Runtime, Encoding], Codec]] = {
    "embedded": _embedded,
    "full-resolution": _full_resolution,
    "importance-map": _importance_map,
    "patches": _patches,
    "photo": _photo,
    "recurrent": _recurrent,
}
"""What a family leaves no choice of, it does in its one way."""


def folders(artifacts: Path) -> dict[str, tuple[Path, ...]]:
    """The folders of each codec that is there, oldest version first; names sorted.

    A folder is an artifact when it has a manifest, whose name and version count: by custom the
    newest version lies in ``NAME``, an earlier one in ``NAME.VERSION``. Raises ArtifactError when
    there is none, when a version is there twice, or when two codecs share a wire id.
    """
    versions: dict[str, dict[int, Path]] = {}
    owners: dict[int, str] = {}
    for path in sorted(artifacts.glob(f"*/{artifact.MANIFEST}")):
        manifest = artifact.read_manifest(path.parent)
        owner = owners.setdefault(manifest.wire_id, manifest.name)
        if owner != manifest.name:
            raise ArtifactError(f"{manifest.name} and {owner} share the wire id {manifest.wire_id}")
        mine = versions.setdefault(manifest.name, {})
        twin = mine.setdefault(manifest.version, path.parent)
        if twin != path.parent:
            raise ArtifactError(
                f"{twin} and {path.parent} are both version {manifest.version} of {manifest.name}"
            )
    if not versions:
        raise ArtifactError(f"{artifacts} holds no artifact (a folder with a {artifact.MANIFEST})")
    return {
        name: tuple(path for _, path in sorted(mine.items()))
        for name, mine in sorted(versions.items())
    }


def available(artifacts: Path) -> tuple[str, ...]:
    """Names of the codecs below a folder, sorted. Raises ArtifactError."""
    return tuple(folders(artifacts))


def usual(artifacts: Path) -> tuple[str, ...]:
    """Those of them that are loaded where none is named. Raises ArtifactError."""
    there = folders(artifacts).items()
    return tuple(name for name, mine in there if not artifact.read_manifest(mine[-1]).on_request)


def newest(artifacts: Path, name: str) -> Path:
    """The folder of a codec's newest version. Raises ConfigurationError, ArtifactError."""
    return _chosen(artifacts, (name,))[name][-1]


def load_codecs(
    artifacts: Path, names: Sequence[str], runtime: Runtime, how: Encoding = DEFAULT_ENCODING
) -> dict[str, Codec]:
    """Load the codecs of these names; when ``names`` is empty, all that need not be named.

    Where several versions are there, all are loaded: the newest encodes, each decodes. Raises
    ConfigurationError for a name that is not there, ArtifactError for one that is damaged.
    """
    codecs: dict[str, Codec] = {}
    for name, mine in _chosen(artifacts, names or usual(artifacts)).items():
        versions = [load_codec(folder, runtime, how) for folder in mine]
        codecs[name] = versions[0] if len(versions) == 1 else VersionedCodec(versions)
    return codecs


def load_newest(
    artifacts: Path, names: Sequence[str], runtime: Runtime, how: Encoding = DEFAULT_ENCODING
) -> dict[str, Codec]:
    """As ``load_codecs``, but for what only encodes and reads what it encoded."""
    chosen = _chosen(artifacts, names or usual(artifacts))
    return {name: load_codec(mine[-1], runtime, how) for name, mine in chosen.items()}


def names_by_wire_id(artifacts: Path, names: Sequence[str]) -> dict[int, str]:
    """Which of these codecs, or of all, has which wire id; none is loaded.

    Raises ConfigurationError for a name that is not there, ArtifactError.
    """
    return {
        artifact.read_manifest(mine[-1]).wire_id: name
        for name, mine in _chosen(artifacts, names).items()
    }


def _chosen(artifacts: Path, names: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    there = folders(artifacts)
    for name in names:
        if name not in there:
            raise ConfigurationError(
                f"no artifact for the codec {name!r}; there are: {', '.join(there)}"
            )
    return {name: there[name] for name in names or there}


def load_codec(folder: Path, runtime: Runtime, how: Encoding = DEFAULT_ENCODING) -> Codec:
    """Load one artifact folder. Raises ArtifactError for an unknown family or a damaged file."""
    opened = artifact.read(folder)
    family = opened.manifest.family
    if family not in FAMILIES:
        raise ArtifactError(f"{folder} is of the family {family!r}, not {', '.join(FAMILIES)}")
    return FAMILIES[family](opened, runtime, how)
