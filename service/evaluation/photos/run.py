"""The evaluation of photos: measure, compare, write the page, its plot and the cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from service.codec.interface import Codec
from service.codec.pixels import Pixels
from service.evaluation.baselines import Baseline
from service.evaluation.data.pictures import Pictures
from service.evaluation.measure.caching import Arrays, ResultCache
from service.evaluation.measure.metrics import Metric
from service.evaluation.photos.measuring import (
    SMALL_BYTES,
    TARGETS,
    Floats,
    PhotoStreams,
    Points,
    measure_files,
    measure_small,
    measure_steps,
    measure_stream,
)


@dataclass(frozen=True)
class PhotoPlan:
    """What to evaluate: ``codec`` (of ``fingerprint``) in each of ``orders``, and baselines.

    ``steps`` lengths of each stream of the first order are looked at for the smallest step (0:
    not). ``title`` is added to the codec's own. ``thumbnails`` is what short prefixes are compared
    with (of ``thumbnails_fingerprint``).
    """

    codec: PhotoStreams
    fingerprint: str
    orders: Sequence[str]
    thumbnails: Codec
    thumbnails_fingerprint: str
    baselines: Sequence[Baseline]
    pictures: Pictures
    measures: Sequence[Metric]
    steps: int
    out: Path
    cache: Path
    command: str
    title: str = ""
    fresh: bool = False


@dataclass(frozen=True)
class PhotoResults:
    """``steps`` [N, count] PSNR; ``small`` [N, SMALL_BYTES, 2, 2] as ``measure_small`` gives."""

    ours: list[Points]
    others: list[Points]
    steps: Floats
    small: Floats


def measure_photos(plan: PhotoPlan, console: Console) -> PhotoResults:
    """Everything that is measured, photo by photo; what the cache holds is not measured anew."""
    cache = ResultCache(plan.cache, read=not plan.fresh)
    names = [measure.name for measure in plan.measures]
    ours: list[list[Arrays]] = [[] for _ in plan.orders]
    others: list[list[Arrays]] = [[] for _ in plan.baselines]
    steps: list[Floats] = []
    small: list[Floats] = []
    for index, picture in enumerate(plan.pictures.rgb):
        console.print(f"{index + 1} of {len(plan.pictures)}: {plan.pictures.names[index]}")
        digest = plan.pictures[index : index + 1].digest
        key = _keys(cache, digest)
        streams = _Streams(plan.codec, picture)
        for found, order in zip(ours, plan.orders, strict=True):

            def measure_ours(order: str = order, streams: _Streams = streams) -> Arrays:
                points = measure_stream(plan.codec, streams[order], streams.picture, plan.measures)
                return _arrays(points)

            found.append(
                cache.once(key("ours", plan.fingerprint, order, names, TARGETS), measure_ours)
            )
        for found, baseline in zip(others, plan.baselines, strict=True):

            def measure_other(baseline: Baseline = baseline, picture: Pixels = picture) -> Arrays:
                return _arrays(measure_files(baseline, picture, plan.measures))

            told = baseline.name, baseline.title, baseline.settings, baseline.version(), names
            found.append(cache.once(key("baseline", *told), measure_other))
        first = plan.orders[0]

        def measure_all_steps(streams: _Streams = streams, first: str = first) -> Arrays:
            psnr = measure_steps(plan.codec, streams[first], streams.picture, plan.steps)
            return {"psnr": psnr}

        def measure_short(streams: _Streams = streams, first: str = first) -> Arrays:
            pairs = measure_small(plan.codec, streams[first], plan.thumbnails, streams.picture)
            return {"scores": np.array(pairs)}

        if plan.steps:
            told_steps = key("steps", plan.fingerprint, first, plan.steps)
            steps.append(cache.once(told_steps, measure_all_steps)["psnr"].astype(np.float64))
        told_small = key("small", plan.fingerprint, plan.thumbnails_fingerprint, first, SMALL_BYTES)
        small.append(cache.once(told_small, measure_short)["scores"].astype(np.float64))
    return PhotoResults(
        [
            _points(plan, order, f"photo, {order}{plan.title}", TARGETS, found)
            for order, found in zip(plan.orders, ours, strict=True)
        ],
        [
            _points(plan, baseline.name, baseline.title, baseline.settings, found)
            for baseline, found in zip(plan.baselines, others, strict=True)
        ],
        np.array(steps),
        np.array(small),
    )


class _Streams:
    """Whole streams of one photo, each encoded when it is first asked for."""

    def __init__(self, codec: PhotoStreams, picture: Pixels) -> None:
        self.picture = picture
        self._codec, self._made = codec, dict[str, bytes]()

    def __getitem__(self, order: str) -> bytes:
        if order not in self._made:
            self._made[order] = self._codec.stream(self.picture, order)
        return self._made[order]


def _keys(cache: ResultCache, digest: str) -> Callable[..., str]:
    return lambda *parts: cache.key("photos", digest, *parts)


def _arrays(points: tuple[list[int], list[list[float]]]) -> Arrays:
    return {"bytes": np.array(points[0], np.int64), "scores": np.array(points[1])}


def _points(
    plan: PhotoPlan, name: str, title: str, settings: tuple[float, ...], found: list[Arrays]
) -> Points:
    lengths = np.array([one["bytes"] for one in found], np.float64)
    bpp = lengths * 8 / plan.pictures.pixels[:, None]
    return Points(name, title, settings, bpp, np.array([one["scores"] for one in found]))
