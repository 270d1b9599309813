"""``prefixel evaluate --codec gru-entropy,...``: the recurrent codecs of photos, and their papers'
tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from service.codec.pixels import Pixels

FAMILY = "full-resolution"
NO_LIMIT = 2**24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What they alone understand."""
    add = parser.add_argument_group("recurrent codecs of photos").add_argument
    add("--crop", type=int, metavar="N", help="the NxN pixels in the middle of each photo")
    add("--save-pictures", action="store_true", help="write what is painted at .5, 1 and 2 bpp")


def are_recurrent(folder: Path, names: tuple[str, ...]) -> bool:
    """Whether all of these are there and of the family. Raises ArtifactError."""
    from service.codec.artifact import read_manifest
    from service.codec.registry import folders

    there = folders(folder)
    own = {n for n in names if n in there and read_manifest(there[n][-1]).family == FAMILY}
    return bool(names) and own == set(names)


def run(arguments: argparse.Namespace, folder: Path) -> int:
    """Evaluate and print the tables; 0. Raises ConfigurationError for wrong use."""
    from PIL import Image

    from service.cli.evaluate import chosen_of
    from service.codec import artifact
    from service.codec.recurrent.full_resolution import FullResolutionCodec
    from service.codec.registry import newest
    from service.evaluation.data.pictures import load_pictures
    from service.evaluation.photos.recurrent import MEASURES, Entry, evaluate_recurrent, middle
    from service.inference import Runtime

    chosen = chosen_of(load_pictures(arguments.data, None), arguments)
    pictures, names = list(chosen.rgb), [Path(name).stem for name in chosen.names]
    if arguments.crop is not None:
        pictures = [middle(picture, arguments.crop) for picture in pictures]
    least = max(measure.least_side for measure in MEASURES)
    if min(min(picture.shape[:2]) for picture in pictures) < least:
        raise ConfigurationError(f"MS-SSIM needs {least} pixels a side")
    runtime, entries = Runtime("cpu"), []
    for name in arguments.codec:
        opened = artifact.read(newest(folder, name))
        manifest = opened.manifest
        codec = FullResolutionCodec(opened, runtime, NO_LIMIT)
        known = [one.gmac for one in manifest.training if one.gmac is not None]
        tmac = sum(known) / 1000 if len(known) == len(manifest.training) and known else None
        entries.append(Entry(codec, tmac, manifest.kmac_per_pixel))
    arguments.out.mkdir(parents=True, exist_ok=True)

    def save(codec: str, number: int, bpp: float, shown: Pixels) -> None:
        name = f"{names[number]}-{codec}-{bpp:g}.png"
        Image.fromarray(shown).save(arguments.out / name)

    seen = save if arguments.save_pictures else None
    text = evaluate_recurrent(entries, pictures, lambda line: print(line, file=sys.stderr), seen)
    (arguments.out / "recurrent.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0
