"""Memory, processor time, descriptors and garbage collection of the process, or of each worker.

Of one process the client library's own collectors tell. Several workers answer for each other: each
writes what only it can know into a file every few seconds, the rest is read from /proc.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

PUBLISH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Worker:
    """One of several: its place (0, 1, ...), when it began, what its collector of garbage did."""

    place: int
    pid: int
    began: float
    collections: list[dict[str, int]]


def collect_own(registry: CollectorRegistry) -> None:
    """Have a registry tell about the process that it is in."""
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)


def publish(folder: Path, place: int) -> None:
    """Tell the others about this worker, from now on."""
    began = time.time()

    def run() -> None:
        while folder.is_dir():
            said = {"place": place, "began": began, "collections": gc.get_stats()}
            written = folder / f".worker-{os.getpid()}"
            written.write_text(json.dumps(said))
            written.replace(_path(folder, os.getpid()))
            time.sleep(PUBLISH_SECONDS)

    Thread(target=run, name="publish-process", daemon=True).start()


def forget(folder: Path, pid: int) -> None:
    """A worker has ended."""
    _path(folder, pid).unlink(missing_ok=True)


class Workers(Collector):
    """What is known of all workers that are there, each with its place as the label ``worker``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """One family a name."""
        families: dict[str, Metric] = {}
        for worker in self._newest():
            for one in _families(worker):
                family = families.setdefault(
                    one.name, Metric(one.name, one.documentation, one.type)
                )
                for sample in one.samples:
                    labels = {**sample.labels, "worker": str(worker.place)}
                    family.add_sample(sample.name, labels, sample.value)
        return families.values()

    def _newest(self) -> list[Worker]:
        """One a place: while one is replaced, two are there."""
        found: dict[int, Worker] = {}
        for path in self._folder.glob("worker-*.json"):
            try:
                said: dict[str, Any] = json.loads(path.read_text())
            except FileNotFoundError:
                continue  # it ended
            pid = int(path.stem.removeprefix("worker-"))
            worker = Worker(said["place"], pid, said["began"], said["collections"])
            other = found.get(worker.place)
            if other is None or other.began < worker.began:
                found[worker.place] = worker
        return [found[place] for place in sorted(found)]


def _families(worker: Worker) -> Iterator[Metric]:
    yield from ProcessCollector(pid=lambda: worker.pid, registry=None).collect()
    of_all = CollectorRegistry()
    GCCollector(of_all)
    for family in of_all.collect():  # this process's, for the names alone
        key = {
            "python_gc_objects_collected": "collected",
            "python_gc_objects_uncollectable": "uncollectable",
            "python_gc_collections": "collections",
        }[family.name]
        own = Metric(family.name, family.documentation, family.type)
        for generation, numbers in enumerate(worker.collections):
            own.add_sample(f"{family.name}_total", {"generation": str(generation)}, numbers[key])
        yield own


def _path(folder: Path, pid: int) -> Path:
    return folder / f"worker-{pid}.json"
