"""``python -m tests.bench.photo``: what the codec `photo` costs, beside other formats.

    seconds a megapixel    encoding, decoding at half a bit a pixel, of 2,000 bytes, at half size
    bytes a pixel          peak memory of encoding and of decoding, each in a process of its own

Pictures are free photos side by side, so that one of any size has the detail of photos.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from PIL import Image

from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import mosaic

SIDES = (512, 1024, 2048, 4096)
ROUNDS = 3


def best(work: Callable[[], object]) -> float:
    """Seconds of the quickest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def saved(picture: np.ndarray, **options: object) -> bytes:
    body = io.BytesIO()
    Image.fromarray(picture).save(body, **options)
    return body.getvalue()


def peers(picture: np.ndarray) -> dict[str, Callable[[], bytes]]:
    """Encoders beside ours, at about the quality of half a bit a pixel."""
    found: dict[str, Callable[[], bytes]] = {
        "AVIF 4:4:4 speed 6": lambda: saved(
            picture, format="AVIF", quality=55, speed=6, subsampling="4:4:4"
        ),
        "WebP method 6": lambda: saved(picture, format="WEBP", quality=70, method=6),
        "JPEG optimised": lambda: saved(picture, format="JPEG", quality=60, optimize=True),
    }
    import imagecodecs

    if imagecodecs.JPEGXL.available:
        found["JPEG XL effort 7"] = lambda: imagecodecs.jpegxl_encode(
            picture, distance=2.5, effort=7, numthreads=2
        )
    return found


def memory(side: int, what: str, path: Path) -> None:
    """In a process of its own: peak bytes a pixel over what the loaded codec has."""
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 2))["photo"]
    picture = mosaic(side)
    stream = codec.encode([picture[:64, :64]], [1.0])[0].stream
    if what == "decode":
        stream = path.read_bytes()
        del picture
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if what == "encode":
        codec.encode([picture], [1.0])
    else:
        codec.decode([stream])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) * 1024 / side / side)


def memory_apart(side: int, what: str, path: str) -> float:
    command = [sys.executable, "-m", "tests.bench.photo", "--memory", str(side), what, path]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    options = parser.parse_args()
    if options.memory:
        memory(int(options.memory[0]), options.memory[1], Path(options.memory[2]))
        return
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 2))["photo"]
    print(f"{platform.machine()}, {os.cpu_count()} cores; seconds a megapixel, bytes a pixel")
    print("| side | MP | encode | bpp | decode .5 bpp | 2 kB | half size | memory enc | dec |")
    print("|-|-|-|-|-|-|-|-|-|")
    for side in options.sides:
        picture = mosaic(side)
        megapixels = side * side / 1e6
        stream = codec.encode([picture], [1.0])[0].stream
        half = stream[: side * side // 16]
        row = [
            best(lambda p=picture: codec.encode([p], [1.0])),
            best(lambda h=half: codec.decode([h])),
            best(lambda s=stream: codec.decode([s[:2000]])),
            best(lambda h=half, n=side: codec.decode([h], n // 2)),
        ]
        with NamedTemporaryFile(suffix=".pxl") as file:
            file.write(stream)
            file.flush()
            used = [memory_apart(side, what, file.name) for what in ("encode", "decode")]
        times = " | ".join(f"{seconds / megapixels:.3f}" for seconds in row[1:])
        print(
            f"| {side} | {megapixels:.1f} | {row[0] / megapixels:.3f} "
            f"| {8 * len(stream) / side / side:.2f} | {times} | {used[0]:.0f} | {used[1]:.0f} |",
            flush=True,
        )
    picture = mosaic(1024)
    print("\n| peer | encode | bpp |\n|-|-|-|")
    for name, encode in peers(picture).items():
        bits = 8 * len(encode()) / picture[..., 0].size
        print(f"| {name} | {best(encode) / 1.048576:.3f} | {bits:.2f} |", flush=True)


if __name__ == "__main__":
    main()
