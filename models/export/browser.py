"""``python -m models.export.browser``: the artifacts of ``prefixel`` -> what the browser kit loads.

    tables-VERSION-HASH.js    the integer tables, as a module: painted before any weight is here
    weights-VERSION-HASH.bin  the synthesis network's weights, where the version has one
    versions.js               which versions there are; the last one's tables come with the kit

The names hold the SHA-256 of their content, so that they may be cached for ever.

    weights: u32 number of layers; per layer u32 inputs, outputs, steering inputs; then per layer
    f16 scales [outputs], f16 biases [outputs], f16 steering [outputs, steering inputs]; then per
    layer int8 weights [outputs, inputs, 3, 3]. Little endian. A weight is int8 times scale.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from service.codec import artifact, embedded_tables
from service.errors import ArtifactError

ROOT = Path(__file__).parents[2]
KIT = ROOT / "service" / "static" / "kit"
ARTIFACT = ROOT / "models" / "artifacts" / "prefixel"
GRAPH = "synthesis"
GENERATED = re.compile(r"(tables-\d-[0-9a-f]{8}\.js|weights-\d-[0-9a-f]{8}\.bin|versions\.js)")
HASH_DIGITS = 8
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A 3x3 convolution: ``weights`` int8 [O, I, 3, 3], ``scales`` and ``biases`` float32 [O],
    ``steering`` float32 [O, K] (K may be 0)."""

    weights: NDArray[np.int8]
    scales: Floats
    biases: Floats
    steering: Floats


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.browser", description=__doc__)
    parser.add_argument(
        "artifacts",
        type=Path,
        nargs="*",
        default=[ARTIFACT],
        help=f"folders of artifacts, one a version ({ARTIFACT.relative_to(ROOT)})",
    )
    parser.add_argument("--out", type=Path, default=KIT, help="folder of the kit (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if not current")
    return parser.parse_args()


def main() -> None:
    """Write the files, and remove those of before; or compare."""
    options = arguments()
    made = generate([artifact.read(folder) for folder in options.artifacts])
    there = {
        path.name: path.read_bytes()
        for path in options.out.iterdir()
        if GENERATED.fullmatch(path.name)
    }
    if options.check:
        sys.exit(0 if made == there else f"{options.out} is not what the artifacts make")
    for name in there.keys() - made.keys():
        (options.out / name).unlink()
    for name, content in made.items():
        (options.out / name).write_bytes(content)
        print(f"{len(content):7d} bytes  {name}")


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
            content = pack(read_layers(one.graph(GRAPH)))
            weights_name = f"weights-{version}-{_digits(content)}.bin"
            made[weights_name] = content
            weights = f'"{weights_name}"'
        entries.append(f"  {version}: {{ tables: {load}, weights: {weights} }},\n")
    made["versions.js"] = (
        "/** Made by `python -m models.export.browser`: tables and weights of each version. */\n"
        + "".join(imports)
        + f"\nexport const NEWEST = {newest};\nexport const VERSIONS = {{\n{''.join(entries)}}};\n"
    ).encode()
    return made


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def tables_module(one: artifact.Artifact) -> bytes:
    """The tables as the default export of a module: flat arrays of integers, in C order."""
    stored = embedded_tables.read(one.tables())
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


def pack(layers: list[Layer]) -> bytes:
    """The file of weights. Raises ArtifactError for floats that float16 does not hold exactly."""
    sizes = [len(layers)]
    for layer in layers:
        outputs, inputs = layer.weights.shape[:2]
        sizes += [inputs, outputs, layer.steering.shape[1]]
    parts = [np.array(sizes, "<u4").tobytes()]
    for layer in layers:
        for floats in (layer.scales, layer.biases, layer.steering):
            halves = np.ascontiguousarray(floats, "<f2")
            if not np.array_equal(halves, floats):
                raise ArtifactError("scales, biases or steering are not of float16")
            parts.append(halves.tobytes())
    parts += [np.ascontiguousarray(layer.weights).tobytes() for layer in layers]
    return b"".join(parts)


def read_layers(path: Path) -> list[Layer]:
    """The layers of a synthesis graph, in order. Raises ArtifactError when it has another shape.

    Each convolution (3x3, padding 1, a bias) has weights of one scale an output channel; the n-th
    product with ``known`` steers the n-th of them. A graph without ``known`` steers none.
    """
    graph = onnx.load(path).graph
    constants = _Constants(graph)
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    products = [node for node in graph.node if node.op_type in ("Gemm", "MatMul")]
    if not convolutions or len(products) not in (0, len(convolutions)):
        raise ArtifactError(
            f"{path}: {len(convolutions)} convolutions, {len(products)} products with known"
        )
    layers = []
    for n, node in enumerate(convolutions):
        weights, scales = constants.quantised(node.input[1])
        outputs = len(weights)
        biases: NDArray[Any] = np.zeros(outputs)
        if len(node.input) > 2:
            biases = constants.value(node.input[2])
        steering: NDArray[Any] = np.zeros((outputs, 0))
        if products:
            steering = constants.value(products[n].input[1])
            attributes = {a.name: a.i for a in products[n].attribute}
            if products[n].op_type == "MatMul" or not attributes.get("transB", 0):
                steering = steering.T
        if weights.shape[2:] != (3, 3) or len(biases) != outputs or len(steering) != outputs:
            raise ArtifactError(f"{path}: convolution {n} is not a steered one of 3x3")
        layers.append(
            Layer(weights, scales, *(np.asarray(a, np.float32) for a in (biases, steering)))
        )
    return layers


class _Constants:
    """Values of a graph that do not depend on its inputs."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.initial = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self.makers = {output: node for node in graph.node for output in node.output}

    def value(self, name: str) -> NDArray[Any]:
        """An initializer, or what is computed of initializers alone. Raises ArtifactError."""
        if name in self.initial:
            return self.initial[name]
        node = self.makers.get(name)
        if node is None:
            raise ArtifactError(f"{name} is an input of the graph, not a weight")
        arguments = [self.value(i) for i in node.input if i]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        match node.op_type:
            case "Constant":
                return numpy_helper.to_array(attributes["value"])
            case "Cast":
                return arguments[0].astype(onnx.helper.tensor_dtype_to_np_dtype(attributes["to"]))
            case "Identity":
                return arguments[0]
            case "Transpose":
                return arguments[0].transpose(attributes.get("perm"))
            case "DequantizeLinear":
                return _dequantised(arguments, int(attributes.get("axis", 1)))
            case other:
                raise ArtifactError(f"{name} is made by {other}, which no weight needs")

    def quantised(self, name: str) -> tuple[NDArray[np.int8], Floats]:
        """Weights [O, I, H, W] as int8 and a scale for each output. Raises ArtifactError."""
        node = self.makers.get(name)
        while node is not None and node.op_type in ("Identity", "Cast"):
            node = self.makers.get(node.input[0])
        if node is None or node.op_type != "DequantizeLinear":
            raise ArtifactError(f"{name} is not weights of 8 bits with their scales")
        weights, scales = (self.value(i) for i in node.input[:2])
        zero = self.value(node.input[2]) if len(node.input) > 2 else np.zeros(1, np.int8)
        if weights.dtype != np.int8 or zero.any() or scales.size != len(weights):
            raise ArtifactError(f"{name} is not int8 around 0 with one scale an output")
        return np.asarray(weights, np.int8), np.asarray(scales, np.float32).ravel()


def _dequantised(arguments: list[NDArray[Any]], axis: int) -> NDArray[Any]:
    values, scales = arguments[0].astype(np.float32), arguments[1].astype(np.float32)
    if len(arguments) > 2 and arguments[2].any():
        raise ArtifactError("weights are not around 0")
    shape = [1] * values.ndim
    if scales.size > 1:
        shape[axis] = scales.size
    return values * scales.reshape(shape)


if __name__ == "__main__":
    main()
