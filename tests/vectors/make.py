"""``python -m tests.vectors.make CODEC``: golden streams of a codec, from free photos.

A golden stream of a published version is never made again; this is for a new version.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from service.codec.photo.codec import PhotoCodec
from service.codec.photo.tables import ORDERS
from service.codec.recurrent.adaptive_patches import PatchCodec
from service.codec.recurrent.full_resolution import FullResolutionCodec
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import crops

PREFIXES = (2, 3, 18, 33, 64, 66, 128, 200, 258, 400, 512)

PHOTO_PREFIXES = (2, 64, 258)
"""Of photos' codecs: their pictures are large."""

PHOTO_SIDES = [(96, 64), (61, 45), (7, 5), (1, 40), (130, 9), (48, 77)]
"""Of golden photos: width and height."""

SLOW_SIDES = [(48, 40), (20, 33)]
"""The same where a pixel is dear."""

NETWORK_SIDES = [(96, 64), (131, 97), (70, 143)]
"""Of those with networks, where a codec has them."""
NETWORK_PREFIXES = (20, 128, 400, 1500)

COUNTS = {"symbols", "nonzero_coefficients"}
"""What a prefix decides, where the codec says so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("codec")
    name = parser.parse_args().codec
    codec = load_newest(packaged_artifacts(), [name], Runtime("cpu", 1))[name]
    aspects = [1.0, 1.5, 0.5625, 6.0, 0.2, 1.3333]
    sides = PHOTO_SIDES if codec.kind == "photo" else [(32, 32)] * len(aspects)
    if isinstance(codec, FullResolutionCodec):
        sides = SLOW_SIDES
    drawn = crops(len(sides), seed=11)
    pictures = [np.asarray(c.resize(side)) for c, side in zip(drawn, sides, strict=True)]
    named = {
        f"crop-{n}": e.stream for n, e in enumerate(codec.encode(pictures, aspects[: len(sides)]))
    }
    if isinstance(codec, PhotoCodec):
        named = {f"crop-{n}": codec.stream(p, networks=False) for n, p in enumerate(pictures)}
        if codec.has_networks:
            large = [np.asarray(c.resize(s)) for c, s in zip(drawn, NETWORK_SIDES, strict=False)]
            for n, (picture, order) in enumerate(zip(large, ORDERS, strict=True)):
                named[f"networks-{n}"] = codec.stream(picture, order, networks=True)
    if isinstance(codec, PatchCodec):
        assigned = codec.assigned.encode(pictures, aspects)
        named.update({f"crop-{n}-assigned": e.stream for n, e in enumerate(assigned)})
    streams, painted = [], {}
    for title, stream in named.items():
        shortest = codec.header(stream).length_bytes
        usual = PHOTO_PREFIXES if codec.kind == "photo" else PREFIXES
        wanted = NETWORK_PREFIXES if title.startswith("networks") else usual
        lengths = sorted({min(max(n, shortest), len(stream)) for n in (*wanted, len(stream))})
        facts = {length: codec.inspect(stream[:length]).facts for length in lengths}
        streams.append(
            {
                "name": title,
                "stream": stream.hex(),
                "prefixes": lengths,
                **{
                    name: {n: f[name] for n, f in facts.items()}
                    for name in COUNTS & facts[lengths[0]].keys()
                },
            }
        )
        for length in lengths:
            painted[f"{title}-{length}"] = codec.decode([stream[:length]])[0]
    folder = Path(__file__).parent / name
    folder.mkdir(exist_ok=True)
    (folder / "streams.json").write_text(json.dumps({"streams": streams}, indent=1) + "\n")
    np.savez_compressed(folder / "pictures.npz", **painted)


if __name__ == "__main__":
    main()
