"""Every picture through every setting of a baseline, or every prefix of a codec's stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.codec.header import HEADER_BYTES
from service.codec.interface import Codec
from service.errors import ConfigurationError
from service.evaluation.baselines import BASELINES, Baseline
from service.evaluation.data.pictures import Pictures, Pixels
from service.evaluation.measure.caching import Arrays, ResultCache
from service.evaluation.measure.metrics import METRICS

FORMAT = 1
"""Raised when measurements change their meaning, so that old ones are not read."""

BASELINE_SAMPLES = 16 * 32 * 32 * 3
CODEC_SAMPLES = 64 * 32 * 32 * 3
"""Samples that are measured and kept together: a few thumbnails, or one photo."""

BATCH_SAMPLES = 16 * 2**20

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Measured:
    """A codec on I pictures at S settings, in ascending quality.

    ``payload_bytes`` and ``file_bytes`` are int64 [I, S]; ``scores`` float64 [I, S] by metric.
    ``stripped`` says what the payload is, ``version`` what measured it.
    """

    name: str
    title: str
    version: str
    stripped: str
    own_size: bool
    payload_bytes: NDArray[np.int64]
    file_bytes: NDArray[np.int64]
    scores: dict[str, NDArray[np.float64]]

    def part(self, part: slice) -> Measured:
        """The same of some of the pictures."""
        return Measured(
            self.name,
            self.title,
            self.version,
            self.stripped,
            self.own_size,
            self.payload_bytes[part],
            self.file_bytes[part],
            {name: values[part] for name, values in self.scores.items()},
        )


def measure_baseline(
    baseline: Baseline,
    pictures: Pictures,
    metrics: Sequence[str],
    cache: ResultCache,
    executor: Executor,
    advance: Advance,
) -> Measured:
    """All settings of a baseline of the catalogue, in the processes of ``executor``.

    ``advance`` is told how many pictures are done as they are.
    """
    version = baseline.version()
    found: dict[int, Arrays] = {}
    waiting: dict[Any, tuple[int, str]] = {}
    chunks = list(_chunks(pictures, BASELINE_SAMPLES))
    for index, chunk in enumerate(chunks):
        key = cache.key(
            FORMAT, "baseline", baseline.name, version, baseline.settings, metrics, chunk.digest
        )
        try:
            found[index] = cache.get(key)
            advance(len(chunk))
        except KeyError:
            task = executor.submit(_baseline_chunk, baseline.name, chunk.rgb, tuple(metrics))
            waiting[task] = index, key
    for task in as_completed(waiting):
        index, key = waiting[task]
        found[index] = task.result()
        cache.put(key, found[index])
        advance(len(chunks[index]))
    return _joined(
        [found[index] for index in range(len(chunks))],
        metrics,
        name=baseline.name,
        title=baseline.title,
        version=version,
        stripped=baseline.stripped,
        own_size=baseline.own_size,
    )


def measure_codec(
    codec: Codec,
    fingerprint: str,
    lengths: Sequence[int],
    pictures: Pictures,
    metrics: Sequence[str],
    cache: ResultCache,
    advance: Advance,
) -> Measured:
    """One stream a picture, painted at every prefix of ``lengths`` (bytes, with the header).

    ``fingerprint`` stands for the artifact: another one is measured anew. Lengths outside what the
    codec can do are clipped. Raises ConfigurationError when a picture has not the codec's size.
    """
    side = codec.picture_size
    for name, rgb in zip(pictures.names, pictures.rgb, strict=True):
        if rgb.shape != (side, side, 3):
            raise ConfigurationError(
                f"{codec.name} codes {side}x{side} pixels; {name} has {rgb.shape[1]}x{rgb.shape[0]}"
            )
    clipped = sorted({min(max(n, codec.minimum_bytes), codec.maximum_bytes) for n in lengths})
    found = []
    for chunk in _chunks(pictures, CODEC_SAMPLES):
        key = cache.key(
            FORMAT, "codec", codec.name, codec.version, fingerprint, clipped, metrics, chunk.digest
        )
        try:
            found.append(cache.get(key))
        except KeyError:
            found.append(_codec_chunk(codec, clipped, chunk.rgb, metrics))
            cache.put(key, found[-1])
        advance(len(chunk))
    return _joined(
        found,
        metrics,
        name=codec.name,
        title=codec.name,
        version=f"version {codec.version}, artifact {fingerprint[:16]}",
        stripped=f"all but the stream's header ({HEADER_BYTES} bytes)",
        own_size=False,
    )


def _baseline_chunk(name: str, rgb: tuple[Pixels, ...], metrics: tuple[str, ...]) -> Arrays:
    """Runs in another process, hence the name and not the baseline."""
    baseline = BASELINES[name]
    shape = (len(rgb), len(baseline.settings))
    arrays = _empty(shape, metrics)
    for row, picture in enumerate(rgb):
        step = max(1, BATCH_SAMPLES // picture.size)
        for start in range(0, shape[1], step):
            settings = baseline.settings[start : start + step]
            files = [baseline.encode(picture, setting) for setting in settings]
            painted = np.stack([baseline.decode(file, picture.shape[:2]) for file in files])
            columns = slice(start, start + len(settings))
            arrays["file_bytes"][row, columns] = [len(file) for file in files]
            payloads = [len(baseline.split(file).payload) for file in files]
            arrays["payload_bytes"][row, columns] = payloads
            for metric in metrics:
                original = np.broadcast_to(picture, painted.shape)
                arrays[metric][row, columns] = METRICS[metric].score(original, painted)
    return arrays


def _codec_chunk(
    codec: Codec, lengths: Sequence[int], rgb: tuple[Pixels, ...], metrics: Sequence[str]
) -> Arrays:
    originals = np.stack(rgb)
    streams = [one.stream for one in codec.encode(rgb, [1.0] * len(rgb))]
    arrays = _empty((len(rgb), len(lengths)), metrics)
    for column, length in enumerate(lengths):
        prefixes = [stream[:length] for stream in streams]
        painted = np.stack(codec.decode(prefixes))
        sizes = np.array([len(prefix) for prefix in prefixes])
        arrays["file_bytes"][:, column] = sizes
        arrays["payload_bytes"][:, column] = sizes - HEADER_BYTES
        for metric in metrics:
            arrays[metric][:, column] = METRICS[metric].score(originals, painted)
    return arrays


def _chunks(pictures: Pictures, samples: int) -> Iterator[Pictures]:
    largest = max(rgb.size for rgb in pictures.rgb)
    step = max(1, samples // largest)
    for start in range(0, len(pictures), step):
        yield pictures[start : start + step]


def _empty(shape: tuple[int, int], metrics: Sequence[str]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "payload_bytes": np.zeros(shape, np.int64),
        "file_bytes": np.zeros(shape, np.int64),
    }
    return arrays | {metric: np.zeros(shape) for metric in metrics}


def _joined(
    chunks: Sequence[Arrays],
    metrics: Sequence[str],
    *,
    name: str,
    title: str,
    version: str,
    stripped: str,
    own_size: bool,
) -> Measured:
    def all_of(array: str) -> NDArray[Any]:
        return np.concatenate([chunk[array] for chunk in chunks])

    return Measured(
        name,
        title,
        version,
        stripped,
        own_size,
        all_of("payload_bytes"),
        all_of("file_bytes"),
        {metric: all_of(metric) for metric in metrics},
    )
