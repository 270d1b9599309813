"""``prefixel evaluate --codec photo``: what it is told, and what it loads."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, cast

from service.cli.files import Failures
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.codec.interface import Codec, Effort
    from service.codec.photo.codec import PhotoCodec
    from service.evaluation.data.pictures import Pictures, Refused
    from service.evaluation.photos.kinds import KindsPlan
    from service.evaluation.photos.run import PhotoPlan

STEPS = 200
NAME, KINDS_NAME = "photos", "photos-other-kinds"
NOT_FOR_PHOTOS = (
    "contact_sheet",
    "full",
    "header_less",
    "metrics",
    "speed",
    "splits",
    "targets",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What photos alone understand."""
    add = parser.add_argument_group("photos (--codec photo)").add_argument
    add("--orders", default="default,psnr,eyes", metavar="A,B", help="(%(default)s)")
    add("--ssimulacra2", action="store_true", help="measure SSIMULACRA2 too: seconds a picture")
    add(
        "--steps",
        type=int,
        default=STEPS,
        metavar="N",
        help="lengths a stream, 0: none (%(default)s)",
    )
    add("--name", help=f"of the files in OUT ({NAME}, of --kind {KINDS_NAME})")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the page; 0, or 1 where a photo did not open.

    Raises ConfigurationError for wrong use.
    """
    from rich.console import Console

    from service.evaluation.photos.kinds import evaluate_kinds
    from service.evaluation.photos.page import evaluate_photos

    if arguments.ssimulacra2 and find_spec("ssimulacra2") is None:
        raise ConfigurationError("ssimulacra2 not installed: pip install 'prefixel[evaluate]'")
    console = Console(stderr=True)
    if arguments.kind:
        kinds = make_kinds_plan(arguments)
        print(evaluate_kinds(kinds, console, arguments.name or KINDS_NAME), end="")
        return 0
    failures = Failures()
    plan = make_plan(arguments, failures.left_out)
    print(evaluate_photos(plan, console, arguments.name or NAME), end="")
    return failures.code


def make_plan(arguments: argparse.Namespace, refused: Refused | None = None) -> PhotoPlan:
    """Check the arguments, load photos and codecs. Raises ConfigurationError.

    ``refused`` hears of each photo that is left out.
    """
    from service.cli.evaluate import chosen_of
    from service.codec import artifact
    from service.codec.photo.tables import ORDERS
    from service.codec.registry import newest
    from service.evaluation.data.pictures import load_pictures
    from service.evaluation.photos.baselines import find_photo_baselines
    from service.evaluation.photos.measures import find_measures
    from service.evaluation.photos.run import PhotoPlan
    from service.settings import read_settings

    _refuse_others(arguments)
    orders = tuple(word.strip() for word in arguments.orders.split(",") if word.strip())
    if not orders or not set(orders) <= set(ORDERS) or len(set(orders)) < len(orders):
        raise ConfigurationError(f"orders are {', '.join(ORDERS)}, not {arguments.orders!r}")
    if arguments.steps < 2 and arguments.steps != 0:
        raise ConfigurationError(f"--steps is 0, or 2 or more, not {arguments.steps}")
    baselines = find_photo_baselines(arguments.baselines)
    pictures: Pictures = chosen_of(load_pictures(arguments.data, None, refused), arguments)
    folder = arguments.artifacts or read_settings().artifacts()
    photo, codecs, fingerprint = _codecs(arguments, ("photo", "prefixel"))
    effort = _effort(arguments)
    return PhotoPlan(
        codec=photo,
        fingerprint=fingerprint,
        orders=orders,
        thumbnails=codecs["prefixel"],
        thumbnails_fingerprint=artifact.read(newest(folder, "prefixel")).sha256,
        baselines=baselines,
        pictures=pictures,
        measures=find_measures(pictures.least_side, ssimulacra2=arguments.ssimulacra2),
        steps=arguments.steps,
        out=arguments.out,
        cache=arguments.cache or arguments.out / "cache",
        command=command_of(arguments),
        title=f", effort {effort}" if effort else "",
        fresh=arguments.fresh,
    )


def make_kinds_plan(arguments: argparse.Namespace) -> KindsPlan:
    """The same for ``--kind``: drawn pictures. Raises ConfigurationError."""
    from service.cli.evaluate import chosen_of
    from service.evaluation.data.drawn_photos import drawn_photos
    from service.evaluation.measure.caching import ResultCache
    from service.evaluation.photos.baselines import find_photo_baselines
    from service.evaluation.photos.kinds import BASELINES, KindsPlan
    from service.evaluation.photos.measures import find_measures

    _refuse_others(arguments)
    pictures = chosen_of(drawn_photos(), arguments)
    photo, _, fingerprint = _codecs(arguments)
    cache = arguments.cache or arguments.out / "cache"
    return KindsPlan(
        codec=photo,
        fingerprint=fingerprint,
        baselines=find_photo_baselines(arguments.baselines or BASELINES),
        pictures=pictures,
        measures=find_measures(pictures.least_side, ssimulacra2=arguments.ssimulacra2),
        out=arguments.out,
        cache=ResultCache(cache, read=not arguments.fresh),
        command=command_of(arguments),
    )


def _refuse_others(arguments: argparse.Namespace) -> None:
    wrong = [name for name in NOT_FOR_PHOTOS if getattr(arguments, name)]
    if wrong:
        raise ConfigurationError(f"--{wrong[0].replace('_', '-')} is not for photos")


def _codecs(
    arguments: argparse.Namespace, names: Sequence[str] = ("photo",)
) -> tuple[PhotoCodec, dict[str, Codec], str]:
    """That of photos, all of these names, and what the first is known by in the cache."""
    from service.codec import artifact
    from service.codec.photo.codec import PhotoCodec
    from service.codec.registry import Encoding, load_newest, newest
    from service.inference import Runtime
    from service.settings import read_settings

    folder = arguments.artifacts or read_settings().artifacts()
    effort = _effort(arguments)
    how = Encoding(photo_effort=effort or "default")
    codecs = load_newest(folder, names, Runtime("cpu", threads=1), how)
    photo = codecs["photo"]
    if not isinstance(photo, PhotoCodec):
        raise ConfigurationError("the artifact 'photo' is not of the codec of photos")
    if effort and effort not in photo.efforts:
        raise ConfigurationError(f"efforts of photo are {', '.join(photo.efforts)}, not {effort!r}")
    known = artifact.read(newest(folder, "photo")).sha256
    return photo, codecs, f"{known} {effort}".strip()


def _effort(arguments: argparse.Namespace) -> Effort | Literal[""]:
    """The one that was asked for, or none. Raises ConfigurationError for several."""
    if len(arguments.effort) > 1:
        raise ConfigurationError("photos are evaluated at one --effort at a time")
    return cast("Effort", arguments.effort[0]) if arguments.effort else ""


def command_of(arguments: argparse.Namespace) -> str:
    """The command, without paths: what a reader would type to print the same."""
    words = ["prefixel evaluate --codec photo"]
    words += ["--kind other"] if arguments.kind else ["--data DIR", f"--orders {arguments.orders}"]
    if arguments.baselines:
        words.append(f"--baselines {','.join(arguments.baselines)}")
    if arguments.skip:
        words.append(f"--skip {arguments.skip}")
    if arguments.first is not None:
        words.append(f"--first {arguments.first}")
    if arguments.effort:
        words.append(f"--effort {arguments.effort[0]}")
    if arguments.steps != STEPS and not arguments.kind:
        words.append(f"--steps {arguments.steps}")
    if arguments.ssimulacra2:
        words.append("--ssimulacra2")
    if arguments.name:
        words.append(f"--name {arguments.name}")
    return " ".join(words)
