"""The recurrent codecs of photos against torch, against damage, and against their own bounds.

    python -m tests.proofs.recurrent [CODEC ...] [--cases 5000] [--seed 1] [--speed]

Of each: bits and pictures of torch and ONNX Runtime, every cut, batches, damaged streams, memory a
pixel, the service and, with ``--speed``, the time that a photo at the pixel limit takes.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from io import BytesIO

import httpx
import numpy as np
from PIL import Image

from models.artifact_io import weights
from models.export.recurrent import CODECS
from models.export.recurrent_parity import compare
from models.zoo.full_resolution import SYSTEMS
from service.codec.geometry import Size
from service.codec.photo.header import pack
from service.codec.recurrent.full_resolution import KMAC_COST, FullResolutionCodec
from service.codec.registry import available, load_codec
from service.errors import CodecError
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.fuzz.mutate import mutate
from tests.proofs.claims import Claims, heading
from tests.support.peak_memory import apart
from tests.support.photos import crops, encoded, mosaic
from tests.support.server import REAL, running_service

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


def cut_anywhere(claims: Claims, name: str) -> None:
    """Every prefix of a stream is painted, and no stream hangs on its neighbours."""
    codec = load(name)
    drawn = crops(len(SIDES), seed=6)
    unlike = [np.asarray(c.resize(side)) for c, side in zip(drawn, SIDES, strict=True)]
    together = [one.stream for one in codec.encode(unlike, [1.0] * len(unlike))]
    alone = [codec.encode([one], [1.0])[0].stream for one in unlike]
    halves = [stream[: len(stream) // (2 + n)] for n, stream in enumerate(alone)]
    mixed, apart = codec.decode(halves), [codec.decode([half])[0] for half in halves]
    same = all(np.array_equal(a, b) for a, b in zip(mixed, apart, strict=True))
    claims.claim(
        together == alone and same,
        f"{name}: batches of unlike sizes are what each is alone",
        ", ".join(f"{width}x{height}" for width, height in SIDES),
    )
    stream, expected = alone[1], unlike[1].shape
    cuts = range(codec.header(stream).length_bytes, len(stream) + 1)
    painted = list(codec.decode_cuts(stream, cuts))
    wrong = [cut for cut, one in zip(cuts, painted, strict=True) if one.shape != expected]
    for cut in cuts[::37]:
        if not np.array_equal(codec.decode([stream[:cut]])[0], painted[cut - cuts[0]]):
            wrong.append(cut)
    seen = len({one.tobytes() for one in painted})
    claims.claim(not wrong, f"{name}: every cut is painted", f"{len(cuts)}, {seen} pictures")


def served(claims: Claims, name: str) -> None:
    """An upload, half a bit a pixel of it, and a header that asks for too much."""
    codec = load(name)
    photo = crops(1, seed=7, size_range=(240, 240))[0].crop((0, 0, 200, 120))
    with (
        running_service(REAL, PREFIXEL_CODECS=f"prefixel,photo,{name}") as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        answer = client.post(f"/v1/images?codecs={name}", content=encoded("png", photo))
        found = answer.json()
        facts = found["codecs"][name]
        claims.claim(
            answer.status_code == 201 and facts["levels"][-1]["bytes"] == facts["bytes"],
            f"{name}: an upload is encoded and measured",
            f"{facts['bytes']} bytes, {facts['levels'][-1]['psnr']} dB",
        )
        raster = client.get(f"/v1/images/{found['id']}/photo.png?codec={name}&bpp=0.5")
        shown = Image.open(BytesIO(raster.content)).size if raster.is_success else None
        claims.claim(
            shown == photo.size, f"{name}: half a bit a pixel is painted", f"{raster.status_code}"
        )
        side = int(codec.pixel_limit**0.5) // 16 * 16 + 16
        bomb = pack(codec.wire_id, codec.version, Size(side, side), 0) + bytes(400)
        began = time.perf_counter()
        refused = client.post("/v1/decode", content=bomb)
        took = time.perf_counter() - began
        claims.claim(
            refused.status_code == 422 and took < 1,
            f"{name}: a header of {side}x{side}, over the limit, is 422 before any work",
            f"{refused.status_code} after {1000 * took:.0f} ms",
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
        cut_anywhere(claims, name)
        served(claims, name)
        damaged(claims, name, options.cases, options.seed)
        if options.speed:
            speed(claims, name)
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
