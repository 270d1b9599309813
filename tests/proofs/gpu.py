"""What a CUDA device does with the networks, beside the CPU of the same machine.

    python -m tests.proofs.gpu [--out DIR] [--seconds 1.5] [--device cuda]

The same streams and pictures as on the CPU; thumbnails a second by batch size, from memory to
memory; uploads a second over HTTP; device memory. Where ONNX Runtime has no build for CUDA but
torch has, the same graphs run through torch, and the table says so. Without a device it says why
and ends with 0. ``--device cpu`` tries the proof itself: both columns are the CPU's then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from service.bench.connection import Endpoint
from service.bench.load import closed_loop
from service.bench.photos import variant
from service.bench.report import machine
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.recurrent.codec import RecurrentCodec
from service.codec.registry import load_codec
from service.errors import ConfigurationError
from service.inference import Runtime
from service.inference.runtime import usable_cores
from service.quality.psnr import psnr
from service.settings import packaged_artifacts
from tests.proofs.claims import Claims, heading, table
from tests.support.photos import crops, encoded, mosaic
from tests.support.server import REAL, running_service

PICTURES = 1024
BATCHES = (1, 8, 64, 512, 4096)
CPU_BATCHES = (1, 8, 64)
"""A processor has nothing to win by more."""
PREFIX_BYTES = 64
FIRST_SHARE, MEAN_DB = 0.999, 0.01
DECODED, ENCODED, UPLOAD_TIMES = 100_000, 20_000, 5
CONNECTIONS = 64
PHOTO_SIDE = 1024
WHAT = "encoded/s", "decoded/s"
RECURRENT = "conv-lstm"


@dataclass(frozen=True)
class Engine:
    """What computes: ``how`` for people, ``make`` for a runtime."""

    how: str
    make: Callable[[], Any]
    is_torch: bool = False


def engine_of(device: str, *, through_torch: bool) -> Engine | str:
    """The way to a device, or why there is none."""
    if device == "cpu" and through_torch:
        from tests.support.torch_runtime import TorchRuntime

        made: Any = TorchRuntime("cpu", usable_cores())
        return Engine("the same graphs through torch, CPU", lambda: made, is_torch=True)
    if device == "cpu":
        return Engine("ONNX Runtime, CPU", lambda: Runtime("cpu"))
    try:
        found = Runtime("cuda")
        return Engine(f"ONNX Runtime, {found.device}", lambda: found)
    except ConfigurationError as refused:
        why = str(refused)
    try:
        import torch
    except ImportError:
        return f"{why}; torch is not installed"
    if not torch.cuda.is_available():
        return f"{why}; torch {torch.__version__} finds no device either"
    from tests.support.torch_runtime import TorchRuntime

    name = torch.cuda.get_device_name()
    return Engine(
        f"the same graphs through torch {torch.__version__}, {name} ({why})",
        lambda: TorchRuntime("cuda", usable_cores()),
        is_torch=True,
    )


def thumbnails(number: int) -> np.ndarray:
    """Crops of free photos, shrunk: uint8 [number, 32, 32, 3]."""
    found = [np.asarray(one.resize((32, 32), Image.Resampling.LANCZOS)) for one in crops(64, 9)]
    return np.stack([np.roll(found[n % 64], n // 64, axis=1) for n in range(number)])


def same(claims: Claims, here: EmbeddedCodec, there: EmbeddedCodec) -> dict[str, float]:
    """Streams and pictures of the device beside the CPU's."""
    pictures = thumbnails(PICTURES)
    aspects = [1.0] * PICTURES
    ours, theirs = (
        [one.stream for one in codec.encode(list(pictures), aspects)] for codec in (here, there)
    )
    first = np.mean([a[:3] == b[:3] for a, b in zip(ours, theirs, strict=True)])
    values = [codec.values(pictures, "default") for codec in (here, there)]
    coefficients = float((values[0] == values[1]).mean())
    identical = float(np.mean([a == b for a, b in zip(ours, theirs, strict=True)]))
    means = []
    for streams in (ours, theirs):
        for length in (PREFIX_BYTES, here.maximum_bytes):
            shown = np.stack(here.decode([stream[:length] for stream in streams]))
            means.append(psnr(pictures, shown).mean())
    worst = max(abs(means[0] - means[2]), abs(means[1] - means[3]))
    claims.claim(
        min(float(first), coefficients) >= FIRST_SHARE,
        f"encoding gives at least {FIRST_SHARE:.1%} of the CPU's first symbols and coefficients",
        f"{first:.2%} of the first bytes, {coefficients:.3%} of the coefficients;"
        f" {identical:.1%} of {PICTURES} streams are identical",
    )
    claims.claim(
        worst <= MEAN_DB,
        f"the same mean quality within {MEAN_DB} dB",
        f"at {PREFIX_BYTES} bytes {means[0]:.3f} and {means[2]:.3f} dB, whole {means[1]:.3f} and"
        f" {means[3]:.3f}",
    )
    prefixes = [stream[:length] for stream in ours for length in (20, PREFIX_BYTES, 400)]
    a, b = (np.stack(codec.decode(prefixes)).astype(int) for codec in (here, there))
    apart = int(np.abs(a - b).max())
    claims.claim(
        apart <= 1,
        "one stream is painted within 1 of the CPU's (its symbols are parsed in integers)",
        f"{len(prefixes)} prefixes, {apart} apart at most, {(a == b).mean():.3%} of values equal",
    )
    return {"identical_streams": identical, "coefficients": coefficients, "apart": apart}


def same_recurrent(claims: Claims, here: RecurrentCodec, there: RecurrentCodec) -> None:
    """The bits of the first iteration are signs of floats."""
    pictures, aspects = list(thumbnails(256)), [1.0] * 256
    ours, theirs = (
        [one.stream for one in codec.encode(pictures, aspects)] for codec in (here, there)
    )
    length = len(ours[0]) // 14 if len(ours[0]) > 28 else len(ours[0])
    one, other = (
        np.unpackbits(np.frombuffer(b"".join(s[2:length] for s in streams), np.uint8))
        for streams in (ours, theirs)
    )
    share = float((one == other).mean())
    claims.claim(
        share >= FIRST_SHARE,
        f"{here.name}: at least {FIRST_SHARE:.1%} of the first iteration's bits are the CPU's",
        f"{share:.3%}",
    )


def rates(
    codec: EmbeddedCodec, seconds: float, threads: int, batches: tuple[int, ...]
) -> dict[int, tuple[float, float]]:
    """Thumbnails a second, encoded and decoded, by batch size; as many calls at once as threads."""
    most = max(PICTURES, batches[-1])
    pictures = list(thumbnails(PICTURES)) * (most // PICTURES)
    prefixes = [
        one.stream[:PREFIX_BYTES] for one in codec.encode(pictures[:PICTURES], [1.0] * PICTURES)
    ]
    prefixes = prefixes * (most // len(prefixes))
    found = {}
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            aspects = [1.0] * batch
            jobs = (
                lambda batch=batch, aspects=aspects: codec.encode(pictures[:batch], aspects),
                lambda batch=batch: codec.decode(prefixes[:batch]),
            )
            found[batch] = tuple(batch * _calls(pool, job, seconds, threads) for job in jobs)
    return found  # type: ignore[return-value]


def _calls(
    pool: ThreadPoolExecutor, job: Callable[[], object], seconds: float, threads: int
) -> float:
    job()
    end = time.perf_counter() + seconds

    def again(_: int) -> int:
        done = 0
        while time.perf_counter() < end:
            job()
            done += 1
        return done

    began = time.perf_counter()
    done = sum(pool.map(again, range(threads)))
    return done / (time.perf_counter() - began)


def photos(runtime: Any) -> dict[str, float]:
    """Megapixels a second of a photo, encoded and decoded at half a bit a pixel; printed."""
    codec = load_codec(packaged_artifacts() / "photo", runtime)
    picture = mosaic(PHOTO_SIDE)
    megapixels = picture.shape[0] * picture.shape[1] / 1e6
    [made] = codec.encode([picture], [1.0])
    prefix = made.stream[: round(megapixels * 1e6 / 16)]
    found = {}
    for what, work in (
        ("encoded", lambda: codec.encode([picture], [1.0])),
        ("decoded", lambda: codec.decode([prefix])),
    ):
        began = time.perf_counter()
        for _ in range(3):
            work()
        found[what] = 3 * megapixels / (time.perf_counter() - began)
    words = ", ".join(f"{rate:.1f} megapixels/s {what}" for what, rate in found.items())
    print(f"Photos: {words}; they have no network yet, so this is the CPU's.\n")
    return found


def uploads(command: tuple[str, ...], seconds: float, **environment: str) -> float:
    """Uploads a second over HTTP, thumbnails alone."""
    numbers, photo = count(), encoded("jpeg")
    with running_service(command, PREFIXEL_CODECS="prefixel", **environment) as server:
        endpoint = Endpoint.of(server.url)

        def make(_: int) -> bytes:
            return endpoint.request("POST", "/v1/images", variant(photo, next(numbers)))

        for length in (1.0, seconds):
            outcome = asyncio.run(
                closed_loop(endpoint, make, connections=CONNECTIONS, seconds=length)
            )
        assert not outcome.errors, outcome.statuses
        return outcome.rate


def device_mib() -> float | None:
    """Memory in use on the first device, as its driver's tool says; None without it."""
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return float(found.stdout.split()[0])


def prove(engine: Engine, device: str, seconds: float) -> tuple[Claims, dict[str, Any]]:
    """Everything; the figures for JSON."""
    claims, before = Claims(), device_mib()
    folder = packaged_artifacts()
    runtime = engine.make()
    here, there = (load_codec(folder / "prefixel", one) for one in (Runtime("cpu"), runtime))
    assert isinstance(here, EmbeddedCodec)
    assert isinstance(there, EmbeddedCodec)
    figures: dict[str, Any] = {"machine": machine(), "engine": engine.how}
    figures |= same(claims, here, there)
    recurrent = [load_codec(folder / RECURRENT, one) for one in (Runtime("cpu"), runtime)]
    same_recurrent(claims, *recurrent)  # type: ignore[arg-type]
    threads = usable_cores()
    batches = CPU_BATCHES if device == "cpu" else BATCHES
    columns = {
        "CPU": rates(here, seconds, 1, CPU_BATCHES),
        "device": rates(there, seconds, 1, batches),
        f"device, {threads} calls at once": rates(there, seconds, threads, batches[:-1]),
    }
    used = device_mib()
    print(f"\n{engine.how}\n")
    table(
        ("thumbnails at once", *(f"{name}: {what}" for name in columns for what in WHAT)),
        [
            (
                batch,
                *(
                    f"{found[batch][k]:,.0f}" if batch in found else ""
                    for found in columns.values()
                    for k in (0, 1)
                ),
            )
            for batch in batches
        ],
    )
    figures["photos"] = photos(runtime)
    figures["rates"] = columns
    best = [max(rate[k] for found in columns.values() for rate in found.values()) for k in (0, 1)]
    for what, wanted, reached in (("encoding", ENCODED, best[0]), ("decoding", DECODED, best[1])):
        words = f"goal: {what} {wanted:,} thumbnails a second from memory to memory"
        print(f"{'met' if reached >= wanted else 'not met'}  {words}: {reached:,.0f}")
    on_cpu = uploads(REAL, seconds * 2, PREFIXEL_DEVICE="cpu")
    command = (sys.executable, "-m", "tests.proofs.gpu", "--serve") if engine.is_torch else REAL
    on_device = uploads(command, seconds * 2, PREFIXEL_DEVICE=device)
    figures |= {"uploads_cpu": on_cpu, "uploads_device": on_device, "device_mib": used}
    times = on_device / on_cpu
    print(
        f"{'met' if times >= UPLOAD_TIMES else 'not met'}  goal: uploads over HTTP"
        f" {UPLOAD_TIMES} times the CPU's: {on_cpu:.0f}/s there, {on_device:.0f}/s ({times:.2f})"
    )
    spans(here, there)
    if used is not None and before is not None:
        print(f"\ndevice memory: {used - before:.0f} MiB more than before")
    return claims, figures


def spans(here: EmbeddedCodec, there: EmbeddedCodec) -> None:
    """Where an upload's time goes, a thumbnail of a batch of 64, in microseconds."""
    pictures, photo = thumbnails(64), encoded("jpeg")
    from service.pictures import Limits, Opener

    opener = Opener(Limits())
    rows = []
    for name, codec in (("CPU", here), ("device", there)):
        streams = [one.stream for one in codec.encode(list(pictures), [1.0] * 64)]
        parts = {
            "opening a JPEG of 96x64": lambda: opener.open(photo).release(),
            "analysis": lambda codec=codec: codec.unrounded(pictures),
            "encoding, whole": lambda codec=codec: codec.encode(list(pictures), [1.0] * 64),
            "levels": lambda codec=codec, s=streams: codec.measure(list(pictures), s),
        }
        for part, work in parts.items():
            work()
            began = time.perf_counter()
            for _ in range(5):
                work()
            each = 1 if part.startswith("opening") else 64
            rows.append((name, part, f"{(time.perf_counter() - began) / 5 / each * 1e6:.0f}"))
    print("\nWhere an upload's time goes:\n")
    table(("where", "what", "microseconds a thumbnail"), rows)


def serve_through_torch() -> int:
    """A service whose codec runs through torch."""
    from service.app import create_app
    from service.serving.serve import serve
    from service.serving.server import listen
    from service.settings import read_settings
    from tests.support.torch_runtime import TorchRuntime

    settings = read_settings()
    device = "cuda" if settings.device == "cuda" else "cpu"
    runtime: Any = TorchRuntime(device, usable_cores())
    codecs = {name: load_codec(packaged_artifacts() / name, runtime) for name in settings.codecs}
    return serve(
        settings,
        listen("127.0.0.1", 0),
        lambda settings, log, lifecycle: create_app(
            settings, codecs=codecs, log=log, lifecycle=lifecycle
        ),
    )


def main() -> int:
    """Print, and write ``gpu.json`` where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--through-torch", action="store_true", help="with --device cpu")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--out", type=Path, help="a folder for gpu.json")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return serve_through_torch()
    engine = engine_of(chosen.device, through_torch=chosen.through_torch)
    if isinstance(engine, str):
        print(f"SKIP: {engine}")
        return 1 if os.environ.get("PREFIXEL_NEEDS_GPU") else 0
    heading("The device")
    claims, figures = prove(engine, chosen.device, chosen.seconds)
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "gpu.json").write_text(json.dumps(figures, indent=2) + "\n")
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
