"""``python -m tests.bench.importance``: what the codec with an importance map costs.

Seconds a megapixel of encoding, of measuring its levels, of decoding; bytes a pixel at the peak,
each in a process of its own. Pictures are free photos side by side.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import mosaic

NAME = "importance-map"
SIDES = (256, 512, 880)
ROUNDS = 3


def best(work: Callable[[], object]) -> float:
    """Seconds of the quickest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def memory(side: int, what: str) -> None:
    """In a process of its own: peak bytes a pixel over what the loaded codec has."""
    codec = load_newest(packaged_artifacts(), [NAME], Runtime("cpu", 2))[NAME]
    picture = mosaic(side)
    prefix = codec.encode([picture[:64, :64]], [1.0])[0].stream
    if what == "decode":
        prefix = codec.encode([picture], [1.0])[0].stream[:9]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if what == "encode":
        codec.encode([picture], [1.0])
    else:
        codec.decode([prefix])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) * 1024 / side / side)


def memory_apart(side: int, what: str) -> float:
    command = [sys.executable, "-m", "tests.bench.importance", "--memory", str(side), what]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    options = parser.parse_args()
    if options.memory:
        memory(int(options.memory[0]), options.memory[1])
        return
    codec = load_newest(packaged_artifacts(), [NAME], Runtime("cpu", 2))[NAME]
    print(f"{platform.machine()}, {os.cpu_count()} cores; seconds a megapixel, bytes a pixel")
    print("| side | encode | bpp | measure | decode | memory | cost says, of two cores |")
    print("|-|-|-|-|-|-|-|")
    for side in options.sides:
        picture, megapixels = mosaic(side), side * side / 1e6
        [made] = codec.encode([picture], [1.0])
        times = [
            best(lambda p=picture: codec.encode([p], [1.0])),
            best(lambda p=picture, s=made.stream: codec.measure([p], [s])),
            best(lambda s=made.stream: codec.decode([s])),
        ]
        encode, measure, decode = (f"{seconds / megapixels:.2f}" for seconds in times)
        said = codec.cost(codec.header(made.stream).size) / 2e9 / megapixels
        print(
            f"| {side} | {encode} | {8 * len(made.stream) / side / side:.3f} | {measure} "
            f"| {decode} | {memory_apart(side, 'encode'):.0f} | {said:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
