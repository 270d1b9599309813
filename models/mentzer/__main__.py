"""The codec of Mentzer et al. 2018: ``python -m models.mentzer session --data DIR --out DIR``.

session      train every run of the table, or some, within so many minutes
statistics   estimate those of normalisation anew for what an earlier session kept
compare      bits a pixel at equal quality: joint training, the map, the masked cost
export       make the artifact of the codec that is served out of one network
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from models.artifact_io.manifests import ARTIFACTS
from models.mentzer import comparison, export, runs
from models.mentzer.session import Session
from models.mentzer.timed import Options
from models.photo import validation
from models.training import photos
from models.zoo.mentzer2018.autoencoder import CONFIGS

SIDE = 512


def arguments() -> argparse.Namespace:
    """The command line; what is worth turning of Options is an option."""
    parser = argparse.ArgumentParser(
        prog="python -m models.mentzer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {"session": "train", "statistics": "estimate anew"}.items():
        parser_of = commands.add_parser(
            name,
            help=text,
            description=runs.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        shared(parser_of, trains=name == "session")
    add = commands.add_parser("compare", help="at equal quality").add_argument
    add("folders", type=Path, nargs="+", help="of sessions or ``statistics``, with a table.csv")
    add = commands.add_parser("export", help="make the artifact that is served").add_argument
    add("weights", type=Path, help="NAME.npz of a session")
    add("--data", type=Path, required=True, help="photos-train*.npz, photos-validation/*.png")
    add("--out", type=Path, default=ARTIFACTS / export.NAME, help="default: %(default)s")
    add(
        "--hardware",
        required=True,
        action="append",
        help="what the network was trained on, for the manifest; where a training went on"
        " elsewhere, of each in turn",
    )
    return parser.parse_args()


def shared(parser: argparse.ArgumentParser, trains: bool) -> None:
    """What both take."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="photos-train*.npz, photos-validation/*.png")
    add("--out", type=Path, required=True, help="folder of what comes out")
    if trains:
        add("--minutes", type=float, required=True, help="of all runs together, loading included")
    add(
        "--only",
        default=",".join(runs.LETTERS),
        help="letters or names of runs (default %(default)s)",
    )
    add("--start", type=Path, required=not trains, help="folder of an earlier session's NAME.npz")
    add("--config", choices=sorted(CONFIGS), default="small", help="widths (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--no-bf16", dest="narrow", action="store_false", help="convolutions in 32 bits")
    add("--photo-side", type=int, default=SIDE, help="of validation photos (%(default)s)")
    for name, kind in {"batch": int, "crop": int, "rate": float, "seed": int}.items():
        add(f"--{name}", type=kind, default=getattr(Options, name), help="default %(default)s")


def main() -> None:
    """Do what the first word says."""
    began = time.monotonic()
    options = arguments()
    if options.command == "export":
        export.export(options.weights, options.data, options.out, options.hardware)
        return
    if options.command == "compare":
        print(comparison.compared(comparison.read(options.folders)))
        return
    wanted = runs.chosen(options.only)
    torch.backends.cudnn.benchmark = True
    tiles = photos.load_tiles(options.data).to(options.device)
    held = validation.load(options.data, options.photo_side).to(options.device)
    loaded = time.monotonic() - began
    print(f"{len(tiles)} tiles, {len(held)} photos, loaded in {loaded:.1f} s", flush=True)
    plan = Options(
        options.device,
        options.batch,
        options.crop,
        options.rate,
        narrow=options.narrow,
        seed=options.seed,
    )
    session = Session(plan, CONFIGS[options.config], tiles, held, options.out, options.start)
    if options.command == "statistics":
        session.again(wanted, options.start)
    else:
        session.all(wanted, 60 * options.minutes - loaded)


if __name__ == "__main__":
    main()
