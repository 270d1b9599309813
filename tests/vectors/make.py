"""``python -m tests.vectors.make CODEC``: golden streams of a codec, from free photos.

A golden stream of a published version is never made again; this is for a new version.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from service.codec.registry import load_codecs
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import crops

PREFIXES = (2, 3, 18, 33, 64, 66, 128, 200, 258, 400, 512)

COUNTS = {"symbols", "nonzero_coefficients"}
"""What a prefix decides, where the codec says so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("codec")
    name = parser.parse_args().codec
    codec = load_codecs(packaged_artifacts(), [name], Runtime("cpu", 1))[name]
    aspects = [1.0, 1.5, 0.5625, 6.0, 0.2, 1.3333]
    pictures = np.stack([np.asarray(c.resize((32, 32))) for c in crops(len(aspects), seed=11)])
    streams, painted = [], {}
    for n, encoded in enumerate(codec.encode(pictures, aspects)):
        lengths = [length for length in PREFIXES if length <= len(encoded.stream)]
        facts = {length: codec.inspect(encoded.stream[:length]).facts for length in lengths}
        streams.append(
            {
                "name": f"crop-{n}",
                "stream": encoded.stream.hex(),
                "prefixes": lengths,
                **{
                    name: {n: f[name] for n, f in facts.items()}
                    for name in COUNTS & facts[2].keys()
                },
            }
        )
        for length in lengths:
            painted[f"crop-{n}-{length}"] = codec.decode([encoded.stream[:length]])[0]
    folder = Path(__file__).parent / name
    folder.mkdir(exist_ok=True)
    (folder / "streams.json").write_text(json.dumps({"streams": streams}, indent=1) + "\n")
    np.savez_compressed(folder / "pictures.npz", **painted)


if __name__ == "__main__":
    main()
