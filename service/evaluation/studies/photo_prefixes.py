"""Streams of photos with networks, cut at many lengths: does more of one ever show less?

    python -m service.evaluation.studies.photo_prefixes --data DIR

It prints the worst fall of the mean PSNR, SSIM and MS-SSIM from a length to the next (geometric,
from the header to the whole stream), the passes in which a fall lies, and short prefixes beside
those of the closed form.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from service.codec.interface import Effort
from service.codec.photo import painter
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.order import LEVEL, ORIENT, Ints
from service.codec.pixels import Pixels
from service.evaluation.data.pictures import Pictures
from service.evaluation.measure.caching import Arrays, ResultCache
from service.evaluation.measure.metrics import METRICS, Metric
from service.evaluation.photos.measures import score
from service.evaluation.photos.measuring import SMALL_BYTES
from service.evaluation.report.tables import markdown
from service.evaluation.studies import study_cli

LENGTHS = 200
ALLOWED_DB = 0.01
"""What the mean may fall by from a length to the next."""
MEASURES = tuple(METRICS[name] for name in ("psnr", "ssim", "ms-ssim"))
BANDS = ("low-pass", "across", "down", "diagonal")
KINDS = ("significance", "refinement")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prefixes:
    """Of N photos at M lengths.

    ``lengths`` int64 [N, M]; ``scores`` float64 [N, M, measures]; ``passes`` int64 [N, M], done at
    each; ``corrected`` bool [N, M], whether the synthesis is used. ``short`` and ``closed`` float64
    [N, SMALL_BYTES, measures]: streams as they are, and those of the closed form. ``orders``: each
    photo's passes, channel, level, orientation, plane, kind.
    """

    lengths: NDArray[np.int64]
    scores: Floats
    passes: NDArray[np.int64]
    corrected: NDArray[np.bool_]
    short: Floats
    closed: Floats
    orders: tuple[Ints, ...]

    def means(self, at: int) -> Floats:
        """A measure's mean at each length, in dB."""
        return MEASURES[at].decibels(self.scores[..., at].mean(0))


def measure(codec: PhotoCodec, pictures: Pictures, count: int, cache: ResultCache) -> Prefixes:
    """Encode each photo and paint ``count`` prefixes of it; what is cached is not made anew."""
    measures = [one.name for one in MEASURES]
    found: list[Arrays] = []
    for n in track(range(len(pictures)), console=Console(stderr=True)):
        told = codec.artifact_sha256, codec.effort, count, measures, SMALL_BYTES
        key = cache.key("prefixes", pictures[n : n + 1].digest, *told)
        found.append(cache.once(key, partial(_one, codec, pictures.rgb[n], count)))

    names = ["lengths", "scores", "passes", "corrected", "short", "closed"]
    arrays: dict[str, Any] = {name: np.stack([one[name] for one in found]) for name in names}
    return Prefixes(**arrays, orders=tuple(one["order"].astype(np.int32) for one in found))


def _one(codec: PhotoCodec, picture: Pixels, count: int) -> Arrays:
    stream, closed = codec.stream(picture), codec.stream(picture, networks=False)
    parse, steps, size = codec.parse(stream)
    network = codec.network("synthesis") if steps.networks else None
    first = min(codec.minimum_bytes, len(stream))
    lengths = np.geomspace(first, len(stream), count).round().astype(np.int64)
    scores, passes, corrected = [], [], []
    for length in lengths.tolist():
        parse.advance(length)
        scores.append(score(MEASURES, picture, codec.painted(parse, steps, size)))
        passes.append(parse.passes_done)
        corrected.append(network is not None and painter.corrects(network, parse))
    channel, band, plane, kind = parse.grid.passes.T
    row = parse.grid.bands[band]
    return {
        "lengths": lengths,
        "scores": np.array(scores),
        "passes": np.array(passes, np.int64),
        "corrected": np.array(corrected),
        "short": _short(codec, stream, picture),
        "closed": _short(codec, closed, picture),
        "order": np.stack((channel, row[:, LEVEL], row[:, ORIENT], plane, kind), 1),
    }


def _short(codec: PhotoCodec, stream: bytes, picture: Pixels) -> Floats:
    shown = codec.decode_cuts(stream, [min(length, len(stream)) for length in SMALL_BYTES])
    return np.array([score(MEASURES, picture, one) for one in shown])


def report(found: Prefixes) -> str:
    """What was measured, in Markdown."""
    photos, count = found.lengths.shape
    usual = found.lengths[:, -1].mean()
    with_networks = int(found.corrected[:, -1].sum())
    return "\n\n".join(
        (
            f"{photos} photos, {with_networks} of them with networks, cut at {count} lengths each"
            f" (geometric, from the header to the whole stream of {usual:,.0f} bytes on average)."
            " SSIM and MS-SSIM in dB, −10 log10(1 − mean).",
            _falls(found),
            _causes(found),
            "Short prefixes, beside the closed form's of as many bytes:",
            _beside(found),
        )
    )


def _falls(found: Prefixes) -> str:
    head = ["", "from", "to", "steps that fall", "smallest step", "at bytes", "of any one photo"]
    rows = []
    for at, one in enumerate(MEASURES):
        means = found.means(at)
        steps = np.diff(means)
        worst = int(steps.argmin())
        alone = np.diff(one.decibels(found.scores[..., at]), axis=1).min()
        rows.append(
            [
                one.title,
                f"{means[0]:.2f}",
                f"{means[-1]:.2f}",
                f"{int((steps < 0).sum())} of {len(steps)}",
                signed(steps[worst]),
                f"{found.lengths[:, worst + 1].mean():,.0f}",
                signed(alone),
            ]
        )
    return markdown(head, rows)


def _causes(found: Prefixes) -> str:
    """Each step in which a mean falls by more than is allowed, and what is told in it."""
    lines = []
    for at, one in enumerate(MEASURES):
        steps = np.diff(found.means(at))
        for step in np.flatnonzero(steps < -ALLOWED_DB).tolist():
            own = np.diff(one.decibels(found.scores[:, step : step + 2, at]), axis=1)[:, 0]
            photo = int(own.argmin())
            lines.append(
                f"- {one.title}, {signed(steps[step])} to {found.lengths[:, step + 1].mean():,.0f}"
                f" bytes; most on photo {photo + 1} ({signed(own[photo])}):"
                f" {told_between(found, photo, step)}"
            )
    return "\n".join(lines) or f"No mean falls by more than {ALLOWED_DB} dB."


def signed(decibels: float) -> str:
    """A step with its sign."""
    return f"{decibels:+.4f} dB".replace("-", "−")


def told_between(found: Prefixes, photo: int, step: int) -> str:
    """The passes that a photo's length ``step`` + 1 tells more of than ``step``."""
    first, last = found.passes[photo, step : step + 2].tolist()
    order = found.orders[photo]
    begins = found.corrected[photo, step + 1] and not found.corrected[photo, step]
    between = [
        f"channel {channel} level {level} {BANDS[orient]}, {KINDS[kind]} of plane {plane}"
        for channel, level, orient, plane, kind in order[first : last + 1].tolist()
    ]
    if len(between) > 2:
        between = [f"{len(between)} passes from {between[0]} to {between[-1]}"]
    return "; ".join(["the synthesis begins"] * bool(begins) + between)


def _beside(found: Prefixes) -> str:
    head = ["bytes"]
    for one in MEASURES:
        head += [f"{one.title}", "closed form", "not under it on"]
    rows = []
    for n, length in enumerate(SMALL_BYTES):
        row = [f"{length:,}"]
        for at, one in enumerate(MEASURES):
            ours, closed = found.short[:, n, at], found.closed[:, n, at]
            row += [_text(one, ours), _text(one, closed)]
            row.append(f"{int((ours >= closed).sum())} of {len(ours)}")
        rows.append(row)
    return markdown(head, rows)


def _text(one: Metric, scores: Sequence[float] | Floats) -> str:
    mean = float(np.mean(scores))
    return f"{mean:.3f}" if one.in_decibels else f"{mean:.4f}".removeprefix("0")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m service.evaluation.studies.photo_prefixes", description=__doc__
    )
    study_cli.add_arguments(parser, "photo")
    add = parser.add_argument
    add("--effort", choices=get_args(Effort), default="default", help="(%(default)s)")
    add("--lengths", type=int, default=LENGTHS, metavar="N", help="(%(default)s)")
    add("--cache", type=Path, default=Path("evaluation/cache"), metavar="DIR", help="(%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    codec, pictures = study_cli.load_photos(options)
    print(report(measure(codec, pictures, options.lengths, ResultCache(options.cache))))


if __name__ == "__main__":
    main()
