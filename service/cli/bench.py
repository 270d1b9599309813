"""``prefixel bench``: load against a service, or what a codec costs; beside Pillow."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service.bench import ROUTES
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from service.bench.run import BenchPlan, Measured

CLIENT = "raw asyncio transports on uvloop, parsed by httptools, in one process"
DESCRIPTION = """\
Measure requests a second and latencies of each route: in a closed loop (each connection asks again
when it was answered) and in an open one (Poisson arrivals, latencies count from the moment a
request was meant to be sent). Beside it runs a peer, plain Pillow WebP thumbnails of the same size
under the same server. Without --url a service is started with the PREFIXEL_* of the environment.
Column 'client' is the share of a core that the load generator used: near 100% it is the bottleneck.
'prefixel bench codec' measures an embedded codec in this process instead: thumbnails a second,
beside Pillow's formats.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("bench", help="measure a service", description=DESCRIPTION)
    add = parser.add_argument
    add("what", nargs="?", choices=("service", "codec"), default="service", help="(%(default)s)")
    add("--url", help="a service that runs, http://host:port (one is started)")
    add("--token", default="", help="an upload token of that service")
    add("--routes", default=",".join(ROUTES), metavar="A,B", help="(%(default)s)")
    add("--connections", type=int, default=16, metavar="N", help="of the closed loop (%(default)s)")
    add("--seconds", type=float, default=3.0, metavar="S", help="of each load (%(default)s)")
    add("--rate", type=float, metavar="R", help="requests a second of the open loop (--share)")
    add(
        "--share",
        type=float,
        default=0.5,
        metavar="F",
        help="the open loop's rate, of what the service reached in the closed one (%(default)s)",
    )
    add("--open-connections", type=int, default=256, metavar="N", help="at most (%(default)s)")
    add("--photo", type=Path, help="the JPEG to upload (1024x768, synthetic)")
    add("--seed", type=int, default=0, metavar="N", help="of the arrivals (%(default)s)")
    add("--no-peer", action="store_true", help="measure the service alone")
    add("--json", type=Path, metavar="FILE", help="write the figures there, '-' for stdout")
    codec = parser.add_argument_group("codec")
    add = codec.add_argument
    add("--codec", default="prefixel", metavar="NAME", help="its artifact's (%(default)s)")
    add("--artifacts", type=Path, metavar="DIR", help="(PREFIXEL_ARTIFACTS_PATH)")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="for networks (%(default)s)")
    add("--data", type=Path, metavar="DIR", help="thumbnails, as for evaluate (synthetic)")
    add("--count", type=int, default=256, metavar="N", help="thumbnails (%(default)s)")
    add("--rounds", type=int, default=7, metavar="N", help="of which the median (%(default)s)")
    add(
        "--searched",
        type=int,
        default=0,
        metavar="N",
        help="at efforts that search (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; 1 when a server fails or a route never answers. ConfigurationError."""
    if arguments.what == "codec":
        return run_codec(arguments)
    from service.bench.report import machine, table
    from service.bench.routes import RefusedError
    from service.bench.run import bench
    from service.bench.servers import StartError

    plan = make_plan(arguments)
    where = machine()
    try:
        with _progress(plan.steps) as on_step:
            measured = bench(plan, on_step)
    except (StartError, RefusedError, OSError) as failed:
        print(f"prefixel: {failed}", file=sys.stderr)
        return 1
    if arguments.json != Path("-"):
        _print_head(where, plan, measured)
        print(table(measured.rows))
    if arguments.json:
        figures = {
            "machine": where,
            "client": CLIENT,
            "about": measured.about,
            "rows": [row.figures() for row in measured.rows],
        }
        _write(arguments.json, json.dumps(figures, indent=2))
    return 1 if any(not row.outcome.latencies for row in measured.rows) else 0


def run_codec(arguments: argparse.Namespace) -> int:
    """Measure a codec and print; 0. Raises ConfigurationError, ArtifactError."""
    import numpy as np

    from service.bench import codec as bench
    from service.bench.report import machine
    from service.codec.prefixel.codec import EmbeddedCodec
    from service.codec.registry import load_codec, newest
    from service.evaluation.data.pictures import load_pictures
    from service.inference import Runtime
    from service.settings import read_settings

    if min(arguments.count, arguments.rounds) < 1 or arguments.searched < 0:
        raise ConfigurationError("--count and --rounds are 1 or more, --searched 0 or more")
    folder = newest(arguments.artifacts or read_settings().artifacts(), arguments.codec)
    runtime = Runtime(arguments.device)
    codec = load_codec(folder, runtime)
    if not isinstance(codec, EmbeddedCodec):
        raise ConfigurationError(f"{arguments.codec} is not an embedded codec")
    pictures = (
        np.stack(load_pictures(arguments.data, codec.picture_size)[: arguments.count].rgb)
        if arguments.data
        else bench.thumbnails(arguments.count, arguments.seed)
    )
    where = machine()
    rows = bench.measure(codec, pictures, arguments.rounds, arguments.searched)
    started = bench.start(folder, arguments.device)
    _print_machine(where)
    print(
        f"{codec.name} version {codec.version}, {len(pictures)} thumbnails at once, networks on"
        f" {runtime.device}\n"
    )
    print(f"{bench.table(rows)}\n\n{bench.summary(rows)}")
    print(
        f"loaded by a fresh process in {started.cached:.2f} s,"
        f" in {started.compiling:.1f} s where it must compile"
    )
    return 0


def make_plan(arguments: argparse.Namespace) -> BenchPlan:
    """The plan that was asked for. Raises ConfigurationError."""
    from service.bench.connection import Endpoint
    from service.bench.photos import different, synthetic_photo, variant
    from service.bench.run import BenchPlan

    routes = tuple(arguments.routes.split(","))
    if wrong := [name for name in routes if name not in ROUTES]:
        raise ConfigurationError(f"--routes: {', '.join(wrong)}; there are {', '.join(ROUTES)}")
    for name in ("connections", "open_connections", "seconds", "share", "rate"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value <= 1_000_000:
            raise ConfigurationError(f"--{name.replace('_', '-')} is over 0, not {value:g}")
    try:
        if arguments.url is not None:
            Endpoint.of(arguments.url)
        photo = arguments.photo.read_bytes() if arguments.photo else synthetic_photo()
        variant(photo, 0)
        different(photo, 1)
    except (ValueError, OSError) as wrong_use:
        raise ConfigurationError(str(wrong_use)) from wrong_use
    return BenchPlan(
        photo,
        routes,
        url=arguments.url,
        token=arguments.token,
        connections=arguments.connections,
        open_connections=arguments.open_connections,
        seconds=arguments.seconds,
        rate=arguments.rate,
        share=arguments.share,
        peer=not arguments.no_peer,
        seed=arguments.seed,
    )


def _print_head(where: dict[str, object], plan: BenchPlan, measured: Measured) -> None:
    _print_machine(where)
    print(f"client: {CLIENT}, on the same machine")
    for name, about in measured.about.items():
        print(f"{name}: {about}")
    size = f"{len(plan.photo)} bytes, 60 different ones made of it"
    print(f"photo: JPEG of {size}; {plan.seconds:g} s each load\n")


def _print_machine(where: dict[str, object]) -> None:
    versions = where["versions"]
    assert isinstance(versions, dict)
    words = ", ".join(f"{name} {number}" for name, number in versions.items())
    print(f"machine: {where['processor']}, {where['cores']} cores, load {where['load']}")
    print(f"versions: {words}")


def _write(path: Path, text: str) -> None:
    if path == Path("-"):
        print(text)
    else:
        path.write_text(text + "\n")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=total, completed=-1)

        def step(what: str) -> None:
            bar.update(task, description=what, advance=1)

        yield step
