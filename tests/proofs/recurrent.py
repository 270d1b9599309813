"""The recurrent codecs of photos against torch, against damage, and against their own bounds.

    python -m tests.proofs.recurrent [CODEC ...] [--cases 5000] [--seed 1] [--speed]

Of each: bits and pictures of torch and ONNX Runtime, damaged streams, memory a pixel and, with
``--speed``, the time that a photo at the pixel limit takes.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

import numpy as np

from models.artifact_io import weights
from models.export.recurrent import CODECS
from models.export.recurrent_parity import compare
from models.zoo.full_resolution import SYSTEMS
from service.codec.geometry import Size
from service.codec.recurrent.full_resolution import KMAC_COST, FullResolutionCodec
from service.codec.registry import available, load_codec
from service.errors import CodecError
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.fuzz.mutate import mutate
from tests.proofs.claims import Claims, heading
from tests.support.peak_memory import apart
from tests.support.photos import crops, mosaic

PICTURES, SIDE = 8, 128
SIDES = ((16, 16), (33, 17), (7, 40))
MEMORY_SIDE = 384
SHARE, DECIBELS, SECONDS = 0.999, 0.01, 5.0


def shipped() -> list[str]:
    """Those that are there."""
    return [name for name in CODECS if name in available(packaged_artifacts())]


def load(name: str, threads: int = 1) -> FullResolutionCodec:
    """One of them."""
    codec = load_codec(packaged_artifacts() / name, Runtime("cpu", threads))
    assert isinstance(codec, FullResolutionCodec)
    return codec


def against_torch(claims: Claims, name: str, pictures: int = PICTURES) -> None:
    """Encode with both; paint the service's bits with both."""
    system = SYSTEMS[CODECS[name].system]
    model = system.build(system.configs["small"])
    model.load_state_dict(weights.read(packaged_artifacts() / name))
    drawn = crops(pictures, seed=21, size_range=(300, 300))
    shown = np.stack([np.asarray(crop.resize((SIDE, SIDE))) for crop in drawn])
    found, _ = compare(model, load(name), shown)
    apart = abs(found.psnr_torch - found.psnr_service)
    claims.claim(
        found.first_bits >= SHARE and apart < DECIBELS and found.pixels <= 1,
        f"{name}: first bits, mean PSNR within {DECIBELS} dB, one stream's pictures within 1",
        str(found),
    )


def damaged(claims: Claims, name: str, cases: int, seed: int) -> None:
    """Each mutation is inspected and painted: a picture of the header's size, or a CodecError."""
    codec = load(name)
    drawn = crops(len(SIDES), seed=5)
    small = [np.asarray(c.resize(side)) for c, side in zip(drawn, SIDES, strict=True)]
    seeds = [encoded.stream for encoded in codec.encode(small, [1.0] * len(small))]
    seeds += [stream[:60] for stream in seeds] + [stream[: codec.minimum_bytes] for stream in seeds]
    seen, failures, slowest = Counter[str](), list[str](), 0.0
    for number in range(cases):
        draw = random.Random(f"{name}/{seed}/{number}")
        data, began = mutate(seeds, draw), time.perf_counter()
        try:
            size = codec.header(data).size
            [shown] = codec.decode([data])
            codec.inspect(data)
            seen["painted"] += 1
            if Size.of(shown) != size:
                failures.append(f"{number}: {Size.of(shown)} is not {size}")
        except CodecError:
            seen["refused"] += 1
        except Exception as error:  # what this is for
            failures.append(f"{number}: {error!r}")
        slowest = max(slowest, time.perf_counter() - began)
    claims.claim(
        not failures,
        f"{name}: {cases} damaged streams: a picture or a CodecError",
        f"{dict(seen)}, the slowest {slowest:.2f} s {failures[:3]}",
    )


def memory(claims: Claims, name: str) -> None:
    """What encoding and decoding take at their peak, a pixel, in a process of its own."""
    for work, numbers in apart([name], MEMORY_SIDE)[name].items():
        took, said = (n / MEMORY_SIDE**2 for n in numbers)
        claims.claim(
            took <= said, f"{name}, {work}: at most {said:.0f} bytes a pixel", f"{took:.0f}"
        )


def speed(claims: Claims, name: str) -> None:
    """A photo as large as it may be, there and back, on two cores."""
    codec = load(name, threads=2)
    size = codec.coded_size(Size(4000, 3000))
    photo = mosaic(max(size.width, size.height))[: size.height, : size.width]
    seconds, stream = [], b""
    for work in ("encoding", "decoding"):
        began, cpu = time.perf_counter(), time.process_time()
        if work == "encoding":
            stream = codec.encode([photo], [1.0])[0].stream
        else:
            codec.decode([stream])
        seconds.append(time.perf_counter() - began)
        cost = codec.cost(size, None if work == "encoding" else len(stream))
        spent = time.process_time() - cpu
        print(
            f"{name}: {work} {size.width}x{size.height} {seconds[-1]:.2f} s,"
            f" {seconds[-1] * 1e6 / size.pixels:.1f} a megapixel; of a core {spent:.2f} s,"
            f" {spent * 1e6 / size.pixels:.1f} a megapixel, {spent * 1e9 / (cost / KMAC_COST):.0f}"
            " ns a kMAC",
            flush=True,
        )
    claims.claim(
        max(seconds) <= SECONDS,
        f"{name}: {size.width}x{size.height} within {SECONDS:g} s",
        ", ".join(f"{one:.2f} s" for one in seconds),
    )


def main() -> int:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("codec", nargs="*")
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="needs two idle cores")
    options = parser.parse_args()
    claims = Claims()
    heading("Recurrent codecs of photos")
    for name in options.codec or shipped():
        memory(claims, name)
        against_torch(claims, name)
        damaged(claims, name, options.cases, options.seed)
        if options.speed:
            speed(claims, name)
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
