"""``python -m tests.bench.importance``: what the codec with an importance map costs.

Seconds a megapixel of encoding, of measuring its levels, of decoding, by the clock and of the
processor; bytes a pixel at the peak, in a process of its own. Pictures are free photos side by
side.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable

from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.peak_memory import apart
from tests.support.photos import mosaic

NAME = "importance-map"
SIDES = (256, 512, 880)
ROUNDS = 3


def best(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor, each of the quickest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - began, time.process_time() - cpu))
    clock, processor = zip(*times, strict=True)
    return min(clock), min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    options = parser.parse_args()
    codec = load_newest(packaged_artifacts(), [NAME], Runtime("cpu", 2))[NAME]
    print(f"{platform.machine()}, {os.cpu_count()} cores; seconds a megapixel, bytes a pixel")
    print("clock / processor")
    print(
        "| side | bpp | encode | measure | decode | upload, cost says | memory, encode | decode |"
    )
    print("|-|-|-|-|-|-|-|-|")
    for side in options.sides:
        picture, megapixels = mosaic(side), side * side / 1e6
        [made] = codec.encode([picture], [1.0])
        times = [
            best(lambda p=picture: codec.encode([p], [1.0])),
            best(lambda p=picture, s=made.stream: codec.measure([p], [s])),
            best(lambda s=made.stream: codec.decode([s])),
        ]
        cells = [f"{clock / megapixels:.2f} / {cpu / megapixels:.2f}" for clock, cpu in times]
        said = codec.cost(codec.header(made.stream).size) / 1e9 / megapixels
        taken = apart([NAME], side)[NAME]
        memory = [f"{taken[work][0] / side / side:.0f}" for work in ("encode", "decode")]
        bpp = 8 * len(made.stream) / side / side
        row = [str(side), f"{bpp:.3f}", *cells, f"{said:.2f} of the processor", *memory]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
