"""``prefixel evaluate``: our codecs and today's on a set of pictures, in one table."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli import evaluate_photos, evaluate_recurrent
from service.cli.files import Failures
from service.codec.geometry import THUMB_SIDE
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.evaluation.data.pictures import Pictures, Refused
    from service.evaluation.measure.summary import Counting
    from service.evaluation.run import EvaluationPlan, Subject

THUMBNAIL_DEFAULTS = "32,64,96,128,192,256", "ssim,psnr"
BASELINE_DEFAULTS = "jpeg", "jpeg2000", "webp", "avif"
FULL_DEFAULTS = ".125,.25,.5,1", "ssim,psnr,ms-ssim"
EXTRA = ("bjontegaard", "blurhash", "imagecodecs", "matplotlib", "skimage", "sklearn", "thumbhash")
DESCRIPTION = """\
Measure codecs on pictures and print Markdown tables: scores at target sizes by the rule of
Toderici et al. 2015 (nearest setting, never under the target), at exactly the target, beside the
paper's own table, and Bjontegaard rate differences. The folder OUT gets the report, CSV files,
rate-distortion plots and a cache, so that a run that was stopped goes on where it was. Needs the
extra 'evaluate'.

A picture of --data that does not open is named on stderr and left out; the exit code is 1 then.

--codec photo, alone, measures whole photos as they are: OUT/photos.md, photos.csv and photos.png;
with --kind other drawn pictures of a photo's size: OUT/photos-other-kinds.md.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "evaluate", help="measure codecs on pictures", description=DESCRIPTION
    )
    add = parser.add_argument
    add("--codec", type=_words, default=(), metavar="A,B", help="codecs of the artifacts, or all")
    add(
        "--baselines",
        type=_words,
        default=(),
        metavar="A,B",
        help="today's codecs, all, or none: jpeg[-444][-opt], jpeg2000[-3], webp,"
        " avif[-420][-frame], jxl, blurhash, thumbhash (jpeg,jpeg2000,webp,avif); of"
        " photos: jpeg-opt, jpeg-444-opt, webp, jpeg2000, jxl-e7, avif-s6, avif-420-s6 (all)",
    )
    add(
        "--effort",
        type=_words,
        default=(),
        metavar="A,B",
        help="efforts of the codecs that have them, a row each (as their encoder is by default)",
    )
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, help="folder of pictures, or .npz with rgb [N,H,W,3]")
    data.add_argument(
        "--kind",
        choices=("other",),
        help="drawn pictures that are no photos: icons, screenshots, drawings, text, gradients,"
        " noise; scores kind by kind (a --data folder with folders in it gives that too)",
    )
    add("--skip", type=int, default=0, metavar="N", help="leave out the first N pictures")
    add("--first", type=int, metavar="N", help="of the rest, take the first N")
    add("--splits", metavar="A:B,C:D", help="a block of tables for each stretch, as 0:300,300:1000")
    add("--full", action="store_true", help="pictures as they are, targets in bits per pixel")
    add("--targets", type=_words, metavar="N,N", help="(32,64,96,128,192,256; full: .125,.25,.5,1)")
    add("--metrics", type=_words, metavar="A,B", help="ssim, psnr, standard-ssim, ms-ssim")
    counting = parser.add_mutually_exclusive_group()
    counting.add_argument("--header-less", action="store_true", help="only tables by payload")
    counting.add_argument("--whole", action="store_true", help="only tables by whole file")
    add("--title", default="Evaluation", help="heading of the report (%(default)s)")
    add("--out", type=Path, default=Path("evaluation"), metavar="DIR", help="(%(default)s)")
    add("--cache", type=Path, metavar="DIR", help="where measurements are kept (OUT/cache)")
    add("--fresh", action="store_true", help="measure anew what the cache holds")
    add("--workers", type=int, metavar="N", help="processes for the baselines (all cores)")
    add("--speed", action="store_true", help="measure pictures a second as well")
    add("--contact-sheet", action="store_true", help="write originals and results side by side")
    add("--sheet-data", type=Path, metavar="DIR", help="its pictures (free photos)")
    add("--sheet-bytes", type=int, default=64, metavar="N", help="its target (%(default)s)")
    add(
        "--artifacts",
        type=Path,
        metavar="DIR",
        help="(PREFIXEL_ARTIFACTS_PATH)",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s)")
    evaluate_photos.add_arguments(parser)
    evaluate_recurrent.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the report; 0, or 1 where a picture did not open.

    Raises ConfigurationError for wrong use.
    """
    from rich.console import Console

    from service.evaluation.run import evaluate
    from service.settings import read_settings

    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)} not installed: pip install 'prefixel[evaluate]'"
        )
    if arguments.codec == ("photo",):
        return evaluate_photos.run(arguments)
    folder = arguments.artifacts or read_settings().artifacts()
    if evaluate_recurrent.are_recurrent(folder, arguments.codec):
        return evaluate_recurrent.run(arguments, folder)
    failures = Failures()
    plan = make_plan(arguments, failures.left_out)
    print(evaluate(plan, Console(stderr=True)), end="")
    return failures.code


def make_plan(arguments: argparse.Namespace, refused: Refused | None = None) -> EvaluationPlan:
    """Check the arguments, load pictures and codecs. Raises ConfigurationError.

    ``refused`` hears of each picture that is left out.
    """
    from service.evaluation.baselines import find_baselines
    from service.evaluation.data.drawings import other_kinds
    from service.evaluation.data.pictures import free_photos, load_pictures, parse_splits
    from service.evaluation.measure.metrics import find_metrics
    from service.evaluation.run import EvaluationPlan
    from service.inference.runtime import usable_cores

    names = [name for name in arguments.baselines or BASELINE_DEFAULTS if name != "none"]
    baselines = find_baselines(names)
    if not (baselines or arguments.codec):
        raise ConfigurationError("nothing to evaluate: name a codec or a baseline")
    if arguments.kind and arguments.full:
        raise ConfigurationError("--kind draws thumbnails: there is nothing --full of them")
    pictures = chosen_of(
        other_kinds(THUMB_SIDE)
        if arguments.kind
        else load_pictures(arguments.data, None if arguments.full else THUMB_SIDE, refused),
        arguments,
    )
    sheet = None
    if arguments.contact_sheet:
        sheet = (
            load_pictures(arguments.sheet_data, THUMB_SIDE)
            if arguments.sheet_data
            else free_photos(THUMB_SIDE)
        )
    targets, metrics = FULL_DEFAULTS if arguments.full else THUMBNAIL_DEFAULTS
    workers = arguments.workers or usable_cores()
    if workers < 1:
        raise ConfigurationError(f"--workers is 1 or more, not {workers}")
    return EvaluationPlan(
        subjects=load_subjects(arguments) if arguments.codec else (),
        baselines=baselines,
        pictures=pictures,
        splits=parse_splits(arguments.splits or "0:", len(pictures)),
        targets=_targets(arguments.targets or _words(targets), full=arguments.full),
        unit="bpp" if arguments.full else "bytes",
        countings=_countings(arguments),
        metrics=find_metrics(arguments.metrics or _words(metrics), pictures.least_side),
        title=arguments.title,
        out=arguments.out,
        cache=arguments.cache or arguments.out / "cache",
        workers=workers,
        fresh=arguments.fresh,
        speed=arguments.speed,
        sheet=sheet,
        sheet_bytes=arguments.sheet_bytes,
    )


def load_subjects(arguments: argparse.Namespace) -> Sequence[Subject]:
    """The codecs that were asked for. Raises ConfigurationError or ArtifactError."""
    from service.codec import artifact
    from service.codec.registry import newest
    from service.evaluation.run import Subject
    from service.evaluation.studies.efforts import load_at_efforts
    from service.inference import Runtime
    from service.settings import read_settings

    folder = arguments.artifacts or read_settings().artifacts()
    names = () if "all" in arguments.codec else arguments.codec
    runtime = Runtime(arguments.device, threads=0)
    found = []
    for name, codec in load_at_efforts(folder, names, runtime, arguments.effort):
        opened = artifact.read(newest(folder, name))
        manifest = opened.manifest
        found.append(Subject(codec, opened.sha256, manifest.parameters, manifest.kmac_per_pixel))
    return found


def chosen_of(pictures: Pictures, arguments: argparse.Namespace) -> Pictures:
    """What --skip and --first leave. Raises ConfigurationError when that is nothing."""
    stop = None if arguments.first is None else arguments.skip + arguments.first
    chosen = pictures[slice(arguments.skip, stop)]
    if arguments.skip < 0 or not len(chosen):
        raise ConfigurationError(f"--skip and --first leave none of {len(pictures)} pictures")
    return chosen


def _targets(words: Sequence[str], *, full: bool) -> tuple[float, ...]:
    try:
        targets = tuple(float(word) for word in words)
    except ValueError:
        raise ConfigurationError(f"targets are numbers, not {','.join(words)}") from None
    if not all(target > 0 for target in targets):
        raise ConfigurationError("targets are positive")
    if not full and not all(target.is_integer() for target in targets):
        raise ConfigurationError("targets in bytes are whole numbers")
    return tuple(sorted(set(targets)))


def _countings(arguments: argparse.Namespace) -> tuple[Counting, ...]:
    if arguments.header_less:
        return ("payload",)
    return ("file",) if arguments.whole else ("payload", "file")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
