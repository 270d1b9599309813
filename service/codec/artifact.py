"""Artifacts: what crosses from training to serving, read and checked before anything runs."""

from __future__ import annotations

import hashlib
import lzma
import zlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.codec import planes
from service.errors import ArtifactError

MANIFEST = "manifest.json"
PACKED = ".xz"
"""What the file of a graph ends with whose weights, of few bits, are packed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Graph(_Part):
    """One ONNX graph: its file, the SHA-256 of the file, and what it takes and gives.

    In place of the file the same may lie packed (``planes``), with the suffix of that.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class TableFile(_Part):
    """A file of integer tables (FORMAT.md, "Tables") and its SHA-256."""

    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Training(_Part):
    """How the weights came to be; ``data_sha256`` names pixels that are not published.

    ``gmac`` is what it computed forward, in 10^9 multiplications; backward is about twice as much.
    """

    command: str
    samples: int
    seconds: float
    hardware: str
    data_sha256: str
    seed: int
    loss: str
    gmac: float | None = None


class Score(_Part):
    """Mean quality of one prefix on the validation thumbnails; ``payload_bytes`` has no header."""

    payload_bytes: int
    ssim: float
    psnr: float


class Manifest(_Part):
    """What an artifact says of itself (``manifest.json``).

    ``iterations`` and ``bits_shape`` are a recurrent codec's, ``tables`` an embedded one's; a
    photo codec's that has networks are those of streams with them, ``closed_form`` those of
    streams without, ``search`` is what its encoder's search knows; ``pixel_limit`` is that of a
    codec whose pixels are dear. A family refuses an artifact that lacks what it needs.
    ``on_request``: it is loaded where it is named, and not with all that are there.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    family: str
    wire_id: int = Field(ge=1, le=31)
    version: int = Field(ge=0, le=7)
    paper: str
    section: str
    config: dict[str, int | tuple[int, ...]]
    iterations: int | None = Field(default=None, ge=1, le=64)
    bits_shape: tuple[int, int, int] | None = None
    tables: TableFile | None = None
    closed_form: TableFile | None = None
    search: TableFile | None = None
    graphs: dict[str, Graph]
    opset: int | None = None
    weights_dtype: str
    parameters: int
    kmac_per_pixel: dict[str, float]
    pixel_limit: int | None = Field(default=None, ge=1)
    on_request: bool = False
    training: tuple[Training, ...]
    parity: dict[str, float | int | str]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A folder whose manifest holds and whose files are the ones it names."""

    folder: Path
    manifest: Manifest
    sha256: str
    """Of the manifest, which holds the hash of every other file."""

    def graph(self, role: str) -> Path:
        """File of a graph, which ``network`` finds where it lies packed.

        Raises ArtifactError when the manifest has none of that role.
        """
        try:
            return self.folder / self.manifest.graphs[role].file
        except KeyError:
            raise ArtifactError(f"{self.folder / MANIFEST} has no graph {role!r}") from None

    def network(self, role: str) -> bytes:
        """The graph itself, unpacked. Raises ArtifactError when there is none, or it is damaged."""
        path = self.graph(role)
        found = _contents(path)
        try:
            return lzma.decompress(found) if path.suffix == PACKED else found
        except lzma.LZMAError as error:
            raise ArtifactError(f"{path} cannot be read: {error}") from error

    def tables(self) -> Path:
        """File of the integer tables. Raises ArtifactError when the manifest has none."""
        if self.manifest.tables is None:
            raise ArtifactError(f"{self.folder / MANIFEST} has no tables")
        return self.folder / self.manifest.tables.file

    def closed_form(self) -> Path:
        """File of the tables of streams without networks. Raises ArtifactError as above."""
        if self.manifest.closed_form is None:
            raise ArtifactError(f"{self.folder / MANIFEST} has no tables of a closed form")
        return self.folder / self.manifest.closed_form.file

    def search(self) -> Path:
        """File of what an encoder's search knows. Raises ArtifactError as above."""
        if self.manifest.search is None:
            raise ArtifactError(f"{self.folder / MANIFEST} has no tables of a search")
        return self.folder / self.manifest.search.file


def read(folder: Path) -> Artifact:
    """Check and open one artifact. Raises ArtifactError naming the file and what is wrong."""
    raw = _raw(folder)
    manifest = _parsed(folder, raw)
    for part in files(manifest):
        _check(folder / part.file, part.sha256)
    return Artifact(folder, manifest, hashlib.sha256(raw).hexdigest())


def read_manifest(folder: Path) -> Manifest:
    """What an artifact says of itself; its files are not looked at. Raises ArtifactError."""
    return _parsed(folder, _raw(folder))


def _raw(folder: Path) -> bytes:
    path = folder / MANIFEST
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(folder: Path, raw: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise ArtifactError(f"{folder / MANIFEST} is not a manifest: {error}") from error


def files(manifest: Manifest) -> tuple[Graph | TableFile, ...]:
    """Every file that a manifest names."""
    tables = manifest.tables, manifest.closed_form, manifest.search
    return (*manifest.graphs.values(), *(one for one in tables if one is not None))


def _check(path: Path, sha256: str) -> None:
    found = hashlib.sha256(_contents(path)).hexdigest()
    if found != sha256:
        raise ArtifactError(f"{path} is not the file its manifest names (SHA-256 {found})")


def _contents(path: Path) -> bytes:
    """What a manifest's hash is of: a file's bytes, or those it was packed of."""
    packed = path.with_name(path.name + planes.SUFFIX)
    try:
        return planes.unpack(packed.read_bytes()) if packed.is_file() else path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    except zlib.error as error:
        raise ArtifactError(f"{packed} cannot be read: {error}") from error
