"""Times Opener.open against a full decode and Lanczos: ``python -m tests.bench.pictures``.

Both paths run in turn in the same process, on the same upload; the difference is in levels of the
32 x 32 result, mean and largest, over every photo at the size given.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image
from PIL import __version__ as pillow_version

from service.codec.interface import Pixels
from service.pictures import Limits, Opener
from tests.support.photos import encoded, free_photos

KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "jpeg": ("jpeg", {"quality": 90}),
    "jpeg progressive": ("jpeg", {"quality": 90, "progressive": True}),
    "png": ("png", {"compress_level": 1}),
    "webp": ("webp", {"method": 0}),
    "avif": ("avif", {"speed": 10}),
    "heic": ("heic", {"quality": 60}),
    "tiff lzw": ("tiff", {"compression": "tiff_lzw"}),
}


def full(upload: bytes) -> Pixels:
    """What the training data's pipeline does: every pixel decoded, one Lanczos filter."""
    picture = Image.open(BytesIO(upload)).convert("RGB")
    return np.asarray(picture.resize((32, 32), Image.Resampling.LANCZOS))


def typical(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds, the median of ``repeats`` after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=24.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--photos", type=int, default=3)
    options = parser.parse_args()
    side = 1e6**0.5 * options.megapixels**0.5
    shape = round(side * 1.5**0.5), round(side / 1.5**0.5)
    photos = [
        Image.fromarray(photo).resize(shape, Image.Resampling.BICUBIC)
        for photo in list(free_photos().values())[: options.photos]
    ]
    opener = Opener(Limits())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Pillow {pillow_version}, {shape} pixels")
    print(f"{'':<18}{'upload MB':>10}{'full ms':>9}{'open ms':>9}{'ratio':>7}{'mean':>7}{'max':>5}")
    for name, (format, keywords) in KINDS.items():
        uploads = [encoded(format, photo, **keywords) for photo in photos]
        slow = [typical(lambda u=upload: full(u), options.repeats) for upload in uploads]
        fast = [typical(lambda u=upload: opener.open(u), options.repeats) for upload in uploads]
        apart = np.abs([full(u).astype(int) - opener.open(u).rgb for u in uploads])
        megabytes = statistics.mean(map(len, uploads)) / 1e6
        before, after = statistics.mean(slow), statistics.mean(fast)
        print(
            f"{name:<18}{megabytes:>10.1f}{before:>9.0f}{after:>9.0f}{before / after:>7.1f}"
            f"{apart.mean():>7.2f}{apart.max():>5d}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
