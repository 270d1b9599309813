"""The photos that the page at / opens with: their streams, recorded, and the photos themselves.

    python -m service.evaluation.studies.samples

They are scikit-image's, in the public domain or CC0, so that anybody may pass them on. The photos'
streams are of version 1: the page paints them in closed form, before any network is fetched, and
what is recorded must look the same whichever version encodes uploads by then.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from service.codec.artifact import read_manifest
from service.codec.geometry import THUMB_SIDE, Size
from service.codec.interface import Codec
from service.codec.pixels import Pixels
from service.codec.registry import Encoding, folders, load_codec
from service.evaluation.data.pictures import squash
from service.inference import Runtime
from service.settings import packaged_artifacts

OUT = Path(__file__).parents[2] / "static" / "kit" / "gallery" / "samples"
VERSION = 1
BITS_A_PIXEL = 1.5
QUALITY = 92


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo: what it shows, and whose it is."""

    name: str
    alt: str
    credit: str


SAMPLES = (
    Sample("chelsea", "A tabby cat that looks up", "Stéfan van der Walt, CC0"),
    Sample("astronaut", "An astronaut in an orange suit who smiles", "NASA, public domain"),
    Sample("coffee", "A cup of coffee on a wooden table", "Rachel Michetti, CC0"),
)


def codecs() -> dict[str, Codec]:
    """Both codecs in the version that is recorded."""
    found = {}
    for name in ("prefixel", "photo"):
        mine = folders(packaged_artifacts())[name]
        folder = next(one for one in mine if read_manifest(one).version == VERSION)
        how = Encoding("best", BITS_A_PIXEL)
        found[name] = load_codec(folder, Runtime("cpu"), how)
    return found


def record(sample: Sample, rgb: Pixels, out: Path, of: dict[str, Codec]) -> dict[str, object]:
    """Write the files of a photo, uint8 [H, W, 3]; what the page is told of them."""
    size = Size.of(rgb)
    [thumb] = of["prefixel"].encode([squash(rgb, THUMB_SIDE)], [size.aspect])
    [photo] = of["photo"].encode([rgb], [size.aspect])
    (out / f"{sample.name}.thumb.pxl").write_bytes(thumb.stream)
    (out / f"{sample.name}.photo.pxl").write_bytes(photo.stream)
    Image.fromarray(rgb).save(out / f"{sample.name}.jpg", quality=QUALITY, optimize=True)
    return {
        "name": sample.name,
        "alt": sample.alt,
        "credit": sample.credit,
        "width": size.width,
        "height": size.height,
        "originalBytes": (out / f"{sample.name}.jpg").stat().st_size,
    }


def module(facts: list[dict[str, object]]) -> str:
    """What the page imports."""
    says = "/** Made by `python -m service.evaluation.studies.samples`: the recorded photos. */\n"
    return f"{says}export const SAMPLES = {json.dumps(facts, indent=2, ensure_ascii=False)};\n"


def main() -> None:
    """Write the folder, and say how large it is."""
    import skimage.data

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    of = codecs()
    facts = []
    for sample in SAMPLES:
        rgb = np.asarray(getattr(skimage.data, sample.name)())
        facts.append(record(sample, rgb, out, of))
        print(sample.name, *(f"{f.name} {f.stat().st_size}" for f in out.glob(f"{sample.name}.*")))
    (out / "samples.js").write_text(module(facts))


if __name__ == "__main__":
    main()
