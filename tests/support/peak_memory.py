"""``python -m tests.support.peak_memory CODEC,... SIDE``: what one picture takes.

In a process of its own, so that nothing is there that an earlier picture left: the most that the
process held over what it held with the codec loaded, in bytes, and what the codec says of it. First
of decoding, then of encoding, which may use again what the runtime kept. Streams are a header and
bytes drawn at random, so that none has to be encoded before.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from service.codec.geometry import Size
from service.codec.header import pack_header
from service.codec.interface import Codec
from service.codec.interface import measured as with_levels
from service.codec.photo import header
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.levels import level
from service.codec.registry import load_newest
from service.inference import Runtime
from service.quality.ms_ssim import MS_SSIM_SIDE
from service.settings import packaged_artifacts
from tests.support.photos import mosaic

Found = dict[str, tuple[int, int]]
"""``encode`` and ``decode``: bytes that it took, bytes that the codec says."""
BITS_A_PIXEL = 2
THREADS = 2


def stream_of(codec: Codec, side: int) -> bytes:
    """A header of a square, and noise."""
    noise = np.random.default_rng(1).bytes(max(200, side * side * BITS_A_PIXEL // 8))
    if codec.kind == "thumb":
        return (pack_header(codec.wire_id, codec.version, 1.0) + noise)[: codec.maximum_bytes]
    networks = isinstance(codec, PhotoCodec) and codec.has_networks
    head = header.pack(codec.wire_id, codec.version, Size(side, side), 0, networks)
    return (head + noise)[: codec.maximum_bytes]


def peak_bytes() -> int:
    """The most that this process had in memory since it was told to forget."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def measured(name: str, side: int) -> Found:
    """Of one codec, here."""
    codec = load_newest(packaged_artifacts(), [name], Runtime("cpu", THREADS))[name]
    side = side if codec.picture_size is None else codec.picture_size
    picture, stream, size = mosaic(side), stream_of(codec, side), Size(side, side)
    grey = np.full((MS_SSIM_SIDE, MS_SSIM_SIDE, 3), 99, np.uint8)
    level(1, grey, grey)  # code that is loaded once
    forget()
    before = peak_bytes()
    codec.decode([stream])
    decoding = peak_bytes() - before, codec.memory(size, len(stream))
    forget()
    with_levels(codec, [picture], codec.encode([picture], [1.0]))
    return {"decode": decoding, "encode": (peak_bytes() - before, codec.memory(size))}


def forget() -> None:
    """What was held at the peak so far does not count any more."""
    Path("/proc/self/clear_refs").write_text("5")


def apart(names: Sequence[str], side: int) -> dict[str, Found]:
    """Of codecs, one after the other in one other process. Raises CalledProcessError."""
    command = [sys.executable, "-m", "tests.support.peak_memory", ",".join(names), str(side)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, Found] = json.loads(told)
    return found


def main() -> None:
    names, side = sys.argv[1:]
    print(json.dumps({name: measured(name, int(side)) for name in names.split(",")}))


if __name__ == "__main__":
    main()
