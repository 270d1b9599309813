"""What a codec costs a thumbnail, beside Pillow's formats, in one process and one run.

Rounds go through all rows in turn, so that a machine that slows down slows them all; a row is the
median of its rounds. Processor time counts all threads: it says the same on a busy machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.bench.photos import synthetic_photo
from service.codec.geometry import THUMB_SIDE
from service.codec.header import HEADER_BYTES
from service.codec.interface import Encoded, measured
from service.codec.prefixel import bitplane_coder
from service.codec.prefixel.codec import EmbeddedCodec

PREFIX_BYTES = 64
SHARES = (64, 384)
"""Sides of the squares that thumbnails are made of, in pixels of the synthetic photo."""
PEERS = ("AVIF", "WEBP", "JPEG")
BY_PILLOW = ", encoded by Pillow"
ENCODED, DECODED = "encoded, default", f"decoded at {PREFIX_BYTES} bytes"
WRITING, READING = "entropy coding of that, one thread", "entropy decoding of that, one thread"
LOAD = """
import sys, time
from pathlib import Path
from service.codec.registry import load_codec
from service.inference import Runtime
runtime = Runtime(sys.argv[2])
began = time.perf_counter()
load_codec(Path(sys.argv[1]), runtime)
print(time.perf_counter() - began)
"""
Pixels = NDArray[np.uint8]
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """``seconds`` and ``processor_seconds`` of one thumbnail."""

    what: str
    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Start:
    """Seconds that loading the codec takes in a fresh process: compiling, and with the cache."""

    compiling: float
    cached: float


def thumbnails(count: int, seed: int) -> Pixels:
    """Squares of a synthetic photo at random places, shrunk: uint8 [count, 32, 32, 3]."""
    draw = np.random.default_rng(seed)
    with Image.open(BytesIO(synthetic_photo(seed))) as photo:
        found = []
        for _ in range(count):
            side = int(draw.integers(*SHARES))
            left = int(draw.integers(photo.width - side))
            top = int(draw.integers(photo.height - side))
            square = photo.crop((left, top, left + side, top + side))
            found.append(
                np.asarray(square.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS))
            )
    return np.stack(found)


def measure(codec: EmbeddedCodec, pictures: Pixels, rounds: int, searched: int) -> list[Row]:
    """All rows for uint8 [N, 32, 32, 3]; the searches encode only ``searched`` of them."""
    count = len(pictures)
    aspects = [1.0] * count
    images = [Image.fromarray(picture) for picture in pictures]
    several = list(pictures)
    prefixes = [one.stream[:PREFIX_BYTES] for one in codec.encode(several, aspects)]
    payloads = [prefix[HEADER_BYTES:] for prefix in prefixes]
    values = codec.values(pictures, "default")
    room = codec.maximum_bytes - HEADER_BYTES
    jobs: list[tuple[str, int, Work]] = [
        *((f"{kind}{BY_PILLOW}", count, partial(_saved, images, kind)) for kind in PEERS),
        (ENCODED, count, lambda: codec.encode(several, aspects, "default")),
        ("encoded, default, with levels", count, lambda: _with_levels(codec, several)),
        (WRITING, count, lambda: bitplane_coder.encode(codec.written, values, room)),
        (DECODED, count, lambda: codec.decode(prefixes)),
        (READING, count, lambda: bitplane_coder.decode(codec.packed, payloads)),
        ("decoded one by one", count, lambda: [codec.decode([prefix]) for prefix in prefixes]),
    ]
    if searched:
        few, some = several[:searched], aspects[:searched]
        jobs.append(("encoded, high", searched, lambda: codec.encode(few, some, "high")))
        jobs.append(("encoded, best", searched, lambda: codec.encode(few, some, "best")))
    return [
        Row(what, wall / number, processor / number)
        for (what, number, _), (wall, processor) in zip(
            jobs, _timed([work for *_, work in jobs], rounds), strict=True
        )
    ]


def _with_levels(codec: EmbeddedCodec, pictures: Sequence[Pixels]) -> list[Encoded]:
    return measured(codec, pictures, codec.encode(pictures, [1.0] * len(pictures)))


def start(folder: Path, device: str) -> Start:
    """Load the artifact in two fresh processes that share a new cache of compiled code."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-c", LOAD, str(folder), device]
        first, second = (
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            for _ in range(2)
        )
    return Start(float(first.stdout), float(second.stdout))


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line for each row."""
    lines = [
        "| thumbnails | a second | ms | ms of processor |",
        "| --- | --: | --: | --: |",
    ]
    for row in rows:
        figures = f"{1000 * row.seconds:.3f} | {1000 * row.processor_seconds:.3f}"
        lines.append(f"| {row.what} | {1 / row.seconds:,.0f} | {figures} |")
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> str:
    """What the rows say of encoding beside AVIF, and of entropy coding within the whole."""
    row = {row.what: row for row in rows}
    avif, encoded, decoded = row[f"AVIF{BY_PILLOW}"], row[ENCODED], row[DECODED]
    writing = row[WRITING].processor_seconds / encoded.processor_seconds
    reading = row[READING].processor_seconds / decoded.processor_seconds
    return (
        f"Encoding takes {encoded.seconds / avif.seconds:.2f} of AVIF's time. Entropy coding is"
        f" {writing:.0%} of the processor time of encoding, {reading:.0%} of that of decoding."
    )


def _timed(jobs: Sequence[Work], rounds: int) -> list[tuple[float, float]]:
    """Median wall and processor seconds of each; one round more warms up."""
    taken: list[list[tuple[float, float]]] = [[] for _ in jobs]
    for n in range(rounds + 1):
        for work, mine in zip(jobs, taken, strict=True):
            wall, processor = time.perf_counter(), time.process_time()
            work()
            if n:
                mine.append((time.perf_counter() - wall, time.process_time() - processor))
    return [
        (statistics.median(w for w, _ in mine), statistics.median(p for _, p in mine))
        for mine in taken
    ]


def _saved(images: Sequence[Image.Image], kind: str) -> None:
    for image in images:
        image.save(BytesIO(), kind)
