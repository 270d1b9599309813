"""Throws damaged uploads of every format at Opener.open: ``python -m tests.fuzz.pictures``.

The cases run in a child process, so that a crash inside a native decoder is a finding and not the
end of the run: the parent names the case, and goes on with the next one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from service.errors import PictureError
from service.pictures import FORMATS, Limits, Opener
from tests.fuzz.mutate import mutate
from tests.support.variants import variants

CASE_SECONDS = 60.0
"""A case that takes longer hangs."""

LIMITS = Limits()
WARM_UP = 200
"""Cases before the first look at the memory: allocators and plugins have then settled."""


@dataclass(slots=True)
class Report:
    """What a run found. ``failures`` names every case that neither opened nor was refused."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    milliseconds: list[tuple[float, int, str]] = field(default_factory=list)
    resident_mib: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        times = sorted(took for took, _, _ in self.milliseconds)
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0


def known_formats() -> list[str]:
    """The formats whose uploads can be made on this machine."""
    return [name for name in FORMATS if name != "heic" or find_spec("pillow_heif")]


def case(seed: int, index: int, formats: list[str]) -> tuple[str, bytes]:
    """The format and the bytes of one case; the same on every run."""
    draw = random.Random(f"{seed}/{index}")
    format = formats[index % len(formats)]
    return format, mutate(list(variants(format).values()), draw)


def _work(pipe: Connection, seed: int, start: int, count: int, formats: list[str]) -> None:
    opener, process = Opener(LIMITS), psutil.Process()
    pipe.send(("ready",))
    for index in range(start, start + count):
        format, data = case(seed, index, formats)
        pipe.send(("case", index, format))
        began = time.perf_counter()
        try:
            opener.open(data)
            outcome = "opened"
        except PictureError as error:
            outcome = type(error).__name__
        except BaseException as error:
            outcome = f"FAILED {error!r}"
        took = 1000 * (time.perf_counter() - began)
        resident = process.memory_info().rss / 2**20 if index % 100 == 0 else 0.0
        pipe.send(("done", outcome, took, resident))
    pipe.send(("end",))


def run(seed: int, count: int, formats: list[str], progress: bool = False) -> Report:
    """``count`` cases from ``seed``, the formats in turn."""
    report, index = Report(), 0
    context = multiprocessing.get_context("spawn")
    while index < count:
        ours, theirs = context.Pipe(duplex=False)
        arguments = (theirs, seed, index, count - index, formats)
        child = context.Process(target=_work, args=arguments, daemon=True)
        child.start()
        theirs.close()
        index = _listen(ours, report, index, progress, count)
        child.kill()
        child.join()
        ours.close()
    return report


def _listen(pipe: Connection, report: Report, start: int, progress: bool, count: int) -> int:
    """Collect from one child until it ends or dies; the index of the case to go on with."""
    index, format = start, ""
    try:
        is_ready = pipe.poll(CASE_SECONDS) and pipe.recv() == ("ready",)
    except EOFError:
        is_ready = False
    if not is_ready:
        raise RuntimeError("the child process that runs the cases did not start")
    while True:
        try:
            if not pipe.poll(CASE_SECONDS):
                report.failures.append(f"case {index} ({format}) hangs")
                return index + 1
            kind, *rest = pipe.recv()
        except EOFError:
            report.failures.append(f"case {index} ({format}) killed the process")
            return index + 1
        if kind == "end":
            return count
        if kind == "case":
            index, format = rest
            continue
        outcome, took, resident = rest
        report.outcomes[format, outcome.split()[0]] += 1
        report.milliseconds.append((took, index, format))
        if outcome.startswith("FAILED"):
            report.failures.append(f"case {index} ({format}): {outcome}")
        if resident and index - start >= WARM_UP:
            report.resident_mib.append(resident)
        if progress and index % 100 == 0:
            print(f"\r{index} of {count}", end="", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", default=",".join(known_formats()))
    parser.add_argument("--save", type=int, help="write this case's bytes to case.bin and stop")
    options = parser.parse_args()
    formats = options.formats.split(",")
    if options.save is not None:
        format, data = case(options.seed, options.save, formats)
        Path("case.bin").write_bytes(data)
        print(f"case {options.save}: {format}, {len(data)} bytes")
        return 0
    report = run(options.seed, options.count, formats, progress=sys.stderr.isatty())
    names = sorted({outcome for _, outcome in report.outcomes})
    print("format " + "".join(f"{name:>26}" for name in names))
    for format in formats:
        print(f"{format:<7}" + "".join(f"{report.outcomes[format, name]:>26}" for name in names))
    slowest = max(report.milliseconds, default=(0.0, 0, ""))
    print(
        f"{sum(report.outcomes.values())} cases, p50 {report.percentile(0.5):.1f} ms, "
        f"p99 {report.percentile(0.99):.1f} ms, slowest {slowest[0]:.0f} ms "
        f"(case {slowest[1]}, {slowest[2]})"
    )
    if report.resident_mib:
        first, last = report.resident_mib[0], report.resident_mib[-1]
        print(f"resident memory {first:.0f} -> {last:.0f} MiB, most {max(report.resident_mib):.0f}")
    for failure in report.failures:
        print(failure)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
