"""``python -m tests.bench.photo``: what the codec `photo` costs, beside other formats.

    seconds a megapixel    encoding in closed form and with networks, choosing between them, all
                           that an upload does (levels too); decoding at half a bit a pixel, of
                           2,000 bytes, at half size
    bytes a pixel          peak memory of encoding and of decoding, each in a process of its own

With --cpu seconds are those of all cores together, which other work on the machine changes least;
with --no-seconds there are none, which at 16 megapixels is quick.

Pictures are free photos side by side, so that one of any size has the detail of photos.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from copy import copy
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from PIL import Image

from service.codec.interface import measured
from service.codec.photo.codec import PhotoCodec
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import mosaic

SIDES = (512, 1024, 2048, 4096)
ROUNDS = 3
FORMS = "closed", "networks"
"""Without networks, and with them."""


def best(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds of the quickest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = clock()
        work()
        times.append(clock() - began)
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


def memory(side: int, what: str, networks: bool, path: Path) -> None:
    """In a process of its own: peak bytes a pixel over what the loaded codec has."""
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 2))["photo"]
    picture = mosaic(side)
    assert isinstance(codec, PhotoCodec)
    stream = codec.stream(picture[:64, :64], networks=networks)
    if what == "decode":
        stream = path.read_bytes()
        del picture
    Path("/proc/self/clear_refs").write_text("5")  # what loading took at its peak is forgotten
    before = peak_kib()
    if what == "encode":
        levelled(codec, picture, networks)
    else:
        codec.decode([stream])
    print((peak_kib() - before) * 1024 / side / side)


def levelled(codec: PhotoCodec, picture: np.ndarray, networks: bool | None = None) -> None:
    """What an upload does, in one form or as the codec chooses."""
    if networks is not None:
        codec = copy(codec)
        codec._prefers_networks = lambda *_: networks  # type: ignore[method-assign]
    measured(codec, [picture], codec.encode([picture], [1.0]))


def peak_kib() -> int:
    """The most that this process had in memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def both_memories(side: int, networks: bool, stream: bytes) -> list[float]:
    """Encoding's and decoding's."""
    with NamedTemporaryFile(suffix=".pxl") as file:
        file.write(stream)
        file.flush()
        return [memory_apart(side, what, networks, file.name) for what in ("encode", "decode")]


def memory_apart(side: int, what: str, networks: bool, path: str) -> float:
    options = [str(side), what, FORMS[networks], path]
    command = [sys.executable, "-m", "tests.bench.photo", "--memory", *options]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--cpu", action="store_true", help="seconds of cores, not of the clock")
    parser.add_argument("--no-seconds", action="store_true", help="memory alone")
    options = parser.parse_args()
    if options.memory:
        side, what, form, path = options.memory
        memory(int(side), what, form == "networks", Path(path))
        return
    quickest = partial(best, clock=time.process_time if options.cpu else time.perf_counter)
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 2))["photo"]
    assert isinstance(codec, PhotoCodec)
    if options.no_seconds:
        print("| side | form | memory enc | dec |\n|-|-|-|-|")
        for side in options.sides:
            picture = mosaic(side)
            for networks in (False, True):
                used = both_memories(side, networks, codec.stream(picture, networks=networks))
                print(f"| {side} | {FORMS[networks]} | {used[0]:.0f} | {used[1]:.0f} |", flush=True)
        return
    seconds_of = "seconds of cores" if options.cpu else "seconds"
    print(f"{platform.machine()}, {os.cpu_count()} cores; {seconds_of} a megapixel, bytes a pixel")
    print("| side | form | choice | encode | upload ", end="")
    print("| decode .5 bpp | 2 kB | half size | memory enc | dec |\n|-|-|-|-|-|-|-|-|-|-|")
    for side in options.sides:
        picture = mosaic(side)
        megapixels = side * side / 1e6
        whole = quickest(lambda p=picture: codec.stream(p))
        upload = quickest(lambda p=picture: levelled(codec, p))
        for networks in (False, True) if codec.has_networks else (False,):
            stream = codec.stream(picture, networks=networks)
            half = stream[: side * side // 16]
            alone = quickest(lambda p=picture, n=networks: codec.stream(p, networks=n))
            chosen = bool(codec.stream(picture)[2] & 32)
            row = [
                whole - alone if networks == chosen else 0,
                alone,
                upload if networks == chosen else 0,
                quickest(lambda h=half: codec.decode([h])),
                quickest(lambda s=stream: codec.decode([s[:2000]])),
                quickest(lambda h=half, n=side: codec.decode([h], n // 2)),
            ]
            used = both_memories(side, networks, stream)
            times = " | ".join(f"{seconds / megapixels:.3f}" for seconds in row)
            print(
                f"| {side} | {FORMS[networks]} | {times} | {used[0]:.0f} | {used[1]:.0f} |",
                flush=True,
            )
    picture = mosaic(1024)
    print("\n| peer | encode | bpp |\n|-|-|-|")
    for name, encode in peers(picture).items():
        bits = 8 * len(encode()) / picture[..., 0].size
        print(f"| {name} | {quickest(encode) / 1.048576:.3f} | {bits:.2f} |", flush=True)


if __name__ == "__main__":
    main()
