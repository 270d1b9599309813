"""``python -m models.export.browser``: artifacts of ``prefixel`` and ``photo`` -> the browser kit.

    tables-VERSION-HASH.js   the integer tables, as a module: painted before any weight is here
    weights-VERSION-HASH.js  the synthesis network's weights, where the version has one
    versions.js              which versions there are; the last one's tables come with the kit

Those of ``prefixel`` lie in the kit's folder thumb/, those of ``photo`` in photo/.

The names hold the SHA-256 of their content, so that they may be cached for ever.

Weights of ``photo`` are as ``models.export.photo_network`` says. Those of ``prefixel``:

    weights: u32 width, widened, blocks, known, hidden, told; the two layers that tell, f16 weights
    [outputs, inputs] and f16 biases [outputs] each; for each convolution in turn (the first;
    around, widen and narrow of each block; the last) f16 scales and f16 biases [outputs], and f16
    scales of its steering and of its gains where it has them; for each convolution int8 kernel
    [outputs, inputs, size, size], int8 steering and gains [outputs, told]. Little endian. A weight
    is int8 times the scale of its output.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from models.artifact_io.names import BYTES, HALF, SCALE
from models.export import photo_network, photo_tables
from models.export.kit import KIT, PHOTO, ROOT, SHIFT, THUMB, literal
from service.codec import artifact
from service.codec.prefixel import tables as prefixel_tables
from service.codec.registry import folders
from service.errors import ArtifactError

ARTIFACT = ROOT / "models" / "artifacts" / "prefixel"
CODECS = ("prefixel", "photo")
PHOTO_WIRE_ID = 16
GRAPH = "synthesis"
GENERATED = re.compile(r"(tables-\d-[0-9a-f]{8}\.js|weights-\d-[0-9a-f]{8}\.js|versions\.js)")
HASH_DIGITS = 8
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Matrix:
    """``whole`` int8 [O, ...], to be multiplied by ``scales`` float32 [O]."""

    whole: NDArray[np.int8]
    scales: Floats


@dataclass(frozen=True)
class Layer:
    """A convolution: ``kernel`` [O, I, S, S], ``biases`` float32 [O]; ``steering`` and ``gains``
    [O, T] where it is told."""

    kernel: Matrix
    biases: Floats
    steering: Matrix | None = None
    gains: Matrix | None = None

    @property
    def matrices(self) -> list[Matrix]:
        """Those that it has, in the file's order."""
        return [matrix for matrix in (self.kernel, self.steering, self.gains) if matrix]


@dataclass(frozen=True)
class Synthesis:
    """``told``: two weights float32 [O, I], each followed by its biases; then the convolutions."""

    told: tuple[Floats, Floats, Floats, Floats]
    layers: list[Layer]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.browser", description=__doc__)
    parser.add_argument(
        "artifacts",
        type=Path,
        nargs="*",
        help=f"folders of artifacts, one a version (those in {ARTIFACT.parent.relative_to(ROOT)})",
    )
    parser.add_argument("--out", type=Path, default=KIT, help="the kit (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if not current")
    return parser.parse_args()


def main() -> None:
    """Write the files, and remove those of before; or compare."""
    options = arguments()
    artifacts = [artifact.read(folder) for folder in options.artifacts] or shipped()
    photos = [one for one in artifacts if one.manifest.wire_id == PHOTO_WIRE_ID]
    thumbs = [one for one in artifacts if one.manifest.wire_id != PHOTO_WIRE_ID]
    _renew(options.out / THUMB.name, generate(thumbs), check=options.check)
    _renew(options.out / PHOTO.name, generate_photo(photos), check=options.check)


def _renew(folder: Path, made: dict[str, bytes], *, check: bool) -> None:
    there = generated(folder)
    if check:
        if made != there:
            sys.exit(f"{folder} is not what the artifacts make")
        return
    for name in there.keys() - made.keys():
        (folder / name).unlink()
    for name, content in made.items():
        (folder / name).write_bytes(content)
        print(f"{len(content):7d} bytes  {name}")


def generated(folder: Path) -> dict[str, bytes]:
    """What was generated into a folder before: content by file name."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if GENERATED.fullmatch(path.name)
    }


def shipped() -> list[artifact.Artifact]:
    """The versions that are there of both, oldest first."""
    there = folders(ARTIFACT.parent)
    return [artifact.read(folder) for name in CODECS for folder in there[name]]


def generate(artifacts: list[artifact.Artifact]) -> dict[str, bytes]:
    """Content by file name. Raises ArtifactError for artifacts that are no versions of one codec,
    or whose graph is not the network of the embedded codec."""
    by_version = {one.manifest.version: one for one in artifacts}
    if len(by_version) < len(artifacts) or any(one.manifest.wire_id != 2 for one in artifacts):
        raise ArtifactError("artifacts of prefixel are needed, each of another version")
    made: dict[str, bytes] = {}
    entries, imports = [], []
    newest = max(by_version)
    for version, one in sorted(by_version.items()):
        tables = tables_module(one)
        name = f"tables-{version}-{_digits(tables)}.js"
        made[name] = tables
        if version == newest:
            imports.append(f'import newest from "./{name}";\n')
            load = "() => newest"
        else:
            load = f'async () => (await import("./{name}")).default'
        weights = "null"
        if GRAPH in one.manifest.graphs:
            content = weights_module(pack(read_synthesis(one.graph(GRAPH))))
            weights_name = f"weights-{version}-{_digits(content)}.js"
            made[weights_name] = content
            weights = f'async () => (await import("./{weights_name}")).default'
        entries.append(f"  {version}: {{\n    tables: {load},\n    weights: {weights},\n  }},\n")
    made["versions.js"] = (
        "/** Made by `python -m models.export.browser`: tables and weights of each version. */\n"
        + "".join(imports)
        + f"\nexport const NEWEST = {newest};\nexport const VERSIONS = {{\n{''.join(entries)}}};\n"
    ).encode()
    return made


def generate_photo(artifacts: list[artifact.Artifact]) -> dict[str, bytes]:
    """Content by file name, for photos: a version's tables come when one of its streams does.

    A version with networks has tables of its own for their streams, and weights of the synthesis.
    Raises ArtifactError for artifacts that are no versions of ``photo``.
    """
    by_version = {one.manifest.version: one for one in artifacts}
    is_photo = all(one.manifest.wire_id == PHOTO_WIRE_ID for one in artifacts)
    if len(by_version) < len(artifacts) or not is_photo:
        raise ArtifactError("artifacts of photo are needed, each of another version")
    made: dict[str, bytes] = {}
    entries = []
    names: dict[str, str] = {}

    def added(kind: str, version: int, content: bytes) -> str:
        name = f"{kind}-{version}-{_digits(content)}.js"
        made[name] = content
        return f'(await import("./{name}")).default'

    for version, one in sorted(by_version.items()):
        closed = photo_tables.path_of(one, networks=False)
        digest = hashlib.sha256(closed.read_bytes()).hexdigest()
        if digest in names:  # a closed form that stays
            loads = [f"tables: async () => ({{ ...{names[digest]}, version: {version} }})"]
        else:
            names[digest] = added("tables", version, photo_tables.tables_module(one))
            loads = [f"tables: async () => {names[digest]}"]
        if one.manifest.graphs:
            tables = added("tables", version, photo_tables.tables_module(one, networks=True))
            weights = added("weights", version, weights_module(photo_network.pack(one)))
            loads += [f"networkTables: async () => {tables}", f"weights: async () => {weights}"]
        lines = "".join(f"    {load},\n" for load in loads)
        entries.append(f"  {version}: {{\n{lines}  }},\n")
    made["versions.js"] = (
        "/** Made by `python -m models.export.browser`: tables and weights of each version. */\n"
        f"export const NEWEST = {max(by_version)};\n"
        f"export const VERSIONS = {{\n{''.join(entries)}}};\n"
    ).encode()
    return made


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def tables_module(one: artifact.Artifact) -> bytes:
    """The tables as the default export of a module: flat arrays of integers, in C order."""
    stored = prefixel_tables.read(one.tables())
    values = {
        "version": one.manifest.version,
        "maximumBytes": one.manifest.config["maximum_bytes"],
        "groupCount": stored.zero.shape[0],
        **{name: array.ravel().tolist() for name, array in vars(stored).items()},
    }
    lines = (
        f"  {name}: {json.dumps(value, separators=(',', ':'))},\n" for name, value in values.items()
    )
    head = "/** Made by `python -m models.export.browser`: FORMAT.md, Tables. */\n"
    return (head + "export default {\n" + "".join(lines) + "};\n").encode()


def weights_module(weights: bytes) -> bytes:
    """A file of weights as the default export of a module: a Uint8Array."""
    return (
        "/** Made by `python -m models.export.browser`: weights of the synthesis network. */\n"
        f"const TEXT =\n  {literal(weights)};\n\n"
        "const bytes = new Uint8Array(TEXT.length);\n"
        "for (let n = 0; n < bytes.length; n += 1) {\n"
        f"  bytes[n] = TEXT.charCodeAt(n) - {SHIFT};\n"
        "}\n"
        "export default bytes;\n"
    ).encode()


def pack(network: Synthesis) -> bytes:
    """The file of weights. Raises ArtifactError for floats that float16 does not hold exactly."""
    told, layers = network.told, network.layers
    width = len(layers[0].biases)
    wide = len(layers[2].biases) if len(layers) > 2 else 0
    sizes = (width, wide, (len(layers) - 2) // 3, told[0].shape[1], len(told[1]), len(told[3]))
    floats = list(told)
    for layer in layers:
        scales = [matrix.scales for matrix in layer.matrices]
        floats += [scales[0], layer.biases, *scales[1:]]
    whole = [matrix.whole for layer in layers for matrix in layer.matrices]
    parts = [np.array(sizes, "<u4").tobytes(), *map(_halves, floats)]
    return b"".join([*parts, *(np.ascontiguousarray(w).tobytes() for w in whole)])


def _halves(floats: Floats) -> bytes:
    found = np.ascontiguousarray(floats, "<f2")
    if not np.array_equal(found, floats):
        raise ArtifactError("scales, biases or what tells are not of float16")
    return found.tobytes()


def read_synthesis(path: Path) -> Synthesis:
    """The weights of a synthesis graph. Raises ArtifactError when it is not one of blocks, told how
    precisely a prefix is known, with its matrices in 8 bits."""
    weights = _Weights(path)
    convolutions = ["convs.0"]
    while weights.has(block := f"blocks.{len(convolutions) // 3}"):
        convolutions += [f"{block}.{part}" for part in ("around", "widen", "narrow")]
    layers = []
    for name in [*convolutions, "convs.1"]:
        kernel = weights.matrix(f"{name}.weight")
        biases = np.zeros(len(kernel.whole), np.float32)
        if not name.endswith("around"):
            biases = weights.floats(f"{name}.bias")
        steering = name.replace("convs", "steering").replace("widen", "steering")
        roles = []
        if steering != name:
            roles = [steering, steering.replace("steering", "gains")][: 1 + ("blocks" in name)]
        layers.append(Layer(kernel, biases, *(weights.matrix(f"{r}.weight") for r in roles)))
    told = (weights.floats(f"told.{n}.{part}") for n in (0, 2) for part in ("weight", "bias"))
    network = Synthesis(tuple(told), layers)  # type: ignore[arg-type]
    if weights.unread:
        raise ArtifactError(f"{path}: {', '.join(sorted(weights.unread))} belong to no block")
    return network


class _Weights:
    """The weights of a graph by name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored = {
            tensor.name.removesuffix(HALF): numpy_helper.to_array(tensor)
            for tensor in onnx.load(path).graph.initializer
        }
        self.unread = {
            name.removesuffix(BYTES)
            for name in self._stored
            if re.search(r"\.(weight|bias)\b", name) and not name.endswith(SCALE)
        }

    def has(self, prefix: str) -> bool:
        """Whether any name begins so."""
        return any(name.startswith(prefix + ".") for name in self._stored)

    def floats(self, name: str) -> Floats:
        """A weight that is kept in 16 or 32 bits. Raises ArtifactError where there is none."""
        if name not in self._stored:
            raise ArtifactError(f"{self._path} has no {name}")
        self.unread.discard(name)
        return np.asarray(self._stored[name], np.float32)

    def matrix(self, name: str) -> Matrix:
        """A weight that is kept in 8 bits. Raises ArtifactError where there is none."""
        whole = self._stored.get(name + BYTES)
        if whole is None:
            raise ArtifactError(f"{self._path} has no {name} of 8 bits")
        self.unread.discard(name)
        return Matrix(np.asarray(whole, np.int8), self.floats(name + SCALE))


if __name__ == "__main__":
    main()
