"""What a codec costs: its size, its work, and thumbnails a second on this machine."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from service.codec.interface import Codec
from service.evaluation.baselines import Baseline
from service.evaluation.data.pictures import Pictures
from service.evaluation.report.tables import markdown
from service.inference.runtime import usable_cores

BATCH = 64
ROUNDS = 7


@dataclass(frozen=True)
class Cost:
    """Weights, thousand multiplications and additions a pixel by graph, pictures a second.

    What is not known, or was not measured, is absent.
    """

    title: str
    parameters: int | None
    kmac_per_pixel: Mapping[str, float]
    encoded_per_second: float | None = None
    decoded_per_second: float | None = None


def codec_speed(codec: Codec, pictures: Pictures, prefix_bytes: int) -> tuple[float, float]:
    """Pictures encoded, and prefixes of ``prefix_bytes`` painted, a second: medians of batches."""
    rgb = pictures.rgb[:BATCH]
    streams = [one.stream for one in codec.encode(rgb, [1.0] * len(rgb))]
    prefixes = [stream[: max(prefix_bytes, codec.minimum_bytes)] for stream in streams]
    encode = _median_seconds(lambda: codec.encode(rgb, [1.0] * len(rgb)))
    decode = _median_seconds(lambda: codec.decode(prefixes))
    return len(rgb) / encode, len(rgb) / decode


def baseline_speed(baseline: Baseline, pictures: Pictures) -> tuple[float, float]:
    """The same of a baseline in one thread, at the middle of its settings."""
    rgb = pictures.rgb[:BATCH]
    setting = baseline.settings[len(baseline.settings) // 2]
    files = [baseline.encode(picture, setting) for picture in rgb]
    encode = _median_seconds(lambda: [baseline.encode(picture, setting) for picture in rgb])
    decode = _median_seconds(
        lambda: [baseline.decode(file, one.shape[:2]) for file, one in zip(files, rgb, strict=True)]
    )
    return len(rgb) / encode, len(rgb) / decode


def cost_table(costs: Sequence[Cost]) -> str:
    """One row a codec."""
    head = ["", "parameters", "kMAC per pixel", "encoded a second", "decoded a second"]
    rows = [
        [
            cost.title,
            "" if cost.parameters is None else f"{cost.parameters:,}",
            ", ".join(f"{role} {work:.3g}" for role, work in cost.kmac_per_pixel.items()),
            "" if cost.encoded_per_second is None else f"{cost.encoded_per_second:,.0f}",
            "" if cost.decoded_per_second is None else f"{cost.decoded_per_second:,.0f}",
        ]
        for cost in costs
    ]
    return markdown(head, rows)


def machine() -> str:
    """The processor and how many cores this process may use."""
    model = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        named = [line for line in described.read_text().splitlines() if "model name" in line]
        model = named[0].partition(":")[2].strip() if named else model
    return f"{model}, {usable_cores()} cores"


def _median_seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(ROUNDS):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return statistics.median(taken)
