"""What it costs to decode an upload in a process of its own, beside a thread.

    python -m tests.bench.decoders [--rounds 15]

Both take turns, so that a busy machine slows both; the least time of all rounds is what the work
takes, the median what it took here. Memory is the resident set of an idle process afterwards, of
which the pages of Python and libraries are shared between processes.
"""

from __future__ import annotations

import argparse
import sys
import time
from io import BytesIO
from statistics import median

import psutil
from PIL import Image

from service.bench.photos import synthetic_photo
from service.pictures import Limits, Opener
from service.pictures.isolated.pool import DecoderPool
from tests.proofs.claims import heading, table
from tests.support.photos import plain_png

PHOTO_SIDE = 2048


def uploads() -> list[tuple[str, bytes, int | None]]:
    """What, its bytes, the side of the photo that is made of it."""
    small = synthetic_photo()
    body = BytesIO()
    with Image.open(BytesIO(small)) as photo:
        photo.resize((4000, 3000)).save(body, "JPEG", quality=85)
    return [
        (f"JPEG of 1024x768, {len(small) // 1000} kB, thumbnail", small, None),
        ("the same, and its photo", small, PHOTO_SIDE),
        ("JPEG of 4000x3000, and its photo of 2048", body.getvalue(), PHOTO_SIDE),
        ("PNG of 64 megapixels, thumbnail", plain_png(8000), None),
    ]


def seconds(opener: Opener, data: bytes, side: int | None) -> float:
    """One upload."""
    begin = time.perf_counter()
    opener.open(data, photo_side=side).release()
    return time.perf_counter() - begin


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    heading("Decoding an upload in a thread and in a process")
    pool = DecoderPool(1, 600, print)
    openers = (
        Opener(Limits(decode_memory_bytes=2**30)),
        Opener(Limits(decode_memory_bytes=2**30), pool.decode),
    )
    rows: list[tuple[object, ...]] = []
    for what, data, side in uploads():
        took: list[list[float]] = [[], []]
        for _ in range(rounds):
            for times, opener in zip(took, openers, strict=True):
                times.append(seconds(opener, data, side))
        here, there = took
        cells = [f"{1000 * f(times):.1f}" for times in (here, there) for f in (min, median)]
        rows.append((what, *cells, f"{1000 * (min(there) - min(here)):+.1f}"))
    table(("upload", "thread: least ms", "median", "process: least ms", "median", "more"), rows)
    resident = psutil.Process(pool.pids[0]).memory_full_info()
    print(f"a process holds {resident.rss / 2**20:.0f} MiB, {resident.uss / 2**20:.0f} its own")
    pool.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
