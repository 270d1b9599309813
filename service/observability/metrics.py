"""Every metric the service has: its name, its labels and its help text, once.

Labels never hold an id. Routes are templates ("/v1/images/{id}"), what no route takes is "other".
The metrics live in a registry of the application's own. Where PROMETHEUS_MULTIPROC_DIR is set
before this module is imported (``prefixel serve --workers N`` does), values are kept in files of
that folder and ``render`` gives the sum over all worker processes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from service.observability import processes

Span = Literal["queue", "picture", "network", "entropy", "cache"]
PREFIX = "prefixel"
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BYTES = (
    *(16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 4096, 16384, 65536),
    *(262144, 1048576, 4194304, 16777216),
)
PICTURES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric: name without the prefix ``prefixel_``, kind, labels, help text, buckets."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


DEFINITIONS = (
    Definition(
        "http_request_duration_seconds",
        "histogram",
        ("route", "method", "status"),
        "Time from a request's headers to the end of its answer; status 499: the client left",
        SECONDS,
    ),
    Definition(
        "span_duration_seconds",
        "histogram",
        ("span",),
        "Time a request spent in one stage",
        SECONDS,
    ),
    Definition("queue_depth", "gauge", ("network",), "Pictures that wait for a network"),
    Definition("batch_size", "histogram", ("network",), "Pictures in a batch", PICTURES),
    Definition(
        "batch_dispatch_total",
        "counter",
        ("reason",),
        "Batches, by why they were sent off (full, delay, idle)",
    ),
    Definition(
        "rejected_total",
        "counter",
        ("reason",),
        "Requests refused, by the problem's slug; connections too (connections, client-share)",
    ),
    Definition(
        "cache_requests_total", "counter", ("result",), "Cache reads: hit, miss, error, corrupt"
    ),
    Definition(
        "cache_errors_total",
        "counter",
        ("kind",),
        "Failures of the cache, by kind (timeout, connection, out-of-memory, read-only, ...)",
    ),
    Definition(
        "cache_breaker_open", "gauge", (), "How many of the cache's circuit breakers are open"
    ),
    Definition("budget_bytes", "histogram", (), "Byte budgets that were asked for", BYTES),
    Definition("sent_bytes", "histogram", (), "Bytes of streams that were sent", BYTES),
    Definition("pictures_total", "counter", ("codec",), "Pictures that were encoded"),
    Definition(
        "dropped_pictures_total",
        "counter",
        ("reason",),
        "Pictures that left a queue without being computed: their client left, or it was too late",
    ),
    Definition("client_gone_total", "counter", (), "Requests whose client left before the answer"),
    Definition(
        "decoder_deaths_total",
        "counter",
        ("reason",),
        "Decoder processes that ended: crashed, processor-time, deadline, idle",
    ),
    Definition(
        "worker_restarts_total", "counter", (), "Worker processes that died and were started again"
    ),
    Definition(
        "build_info", "gauge", ("version", "device"), "1; the release, and where networks run"
    ),
    Definition(
        "artifact_info", "gauge", ("codec", "version", "sha"), "1 for each artifact that is loaded"
    ),
)


STANDARD = (
    Definition("process_virtual_memory_bytes", "gauge", (), "Virtual memory size in bytes."),
    Definition("process_resident_memory_bytes", "gauge", (), "Resident memory size in bytes."),
    Definition(
        "process_start_time_seconds",
        "gauge",
        (),
        "Start time of the process since unix epoch in seconds.",
    ),
    Definition(
        "process_cpu_seconds_total",
        "counter",
        (),
        "Total user and system CPU time spent in seconds.",
    ),
    Definition("process_open_fds", "gauge", (), "Number of open file descriptors."),
    Definition("process_max_fds", "gauge", (), "Maximum number of open file descriptors."),
    Definition(
        "python_gc_objects_collected_total",
        "counter",
        ("generation",),
        "Objects collected during gc",
    ),
    Definition(
        "python_gc_objects_uncollectable_total",
        "counter",
        ("generation",),
        "Uncollectable objects found during GC",
    ),
    Definition(
        "python_gc_collections_total",
        "counter",
        ("generation",),
        "Number of times this generation was collected",
    ),
)
"""What clients of Prometheus tell of a process, without our prefix; of several workers with the
label ``worker``."""

BY_NAME = {definition.name: definition for definition in DEFINITIONS}


class Metrics:
    """The metrics of one application, in a registry of its own. Thread-safe."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        if MULTIPROCESS not in os.environ:
            processes.collect_own(self.registry)
        self._requests = self._histogram("http_request_duration_seconds")
        self._spans = self._histogram("span_duration_seconds")
        self._depths = self._gauge("queue_depth", "livesum")
        self._batches = self._histogram("batch_size")
        self._dispatches = self._counter("batch_dispatch_total")
        self._rejected = self._counter("rejected_total")
        self._cache = self._counter("cache_requests_total")
        self._cache_errors = self._counter("cache_errors_total")
        self._breaker = self._gauge("cache_breaker_open", "livemax")
        self._budgets = self._histogram("budget_bytes")
        self._sent = self._histogram("sent_bytes")
        self._pictures = self._counter("pictures_total")
        self._dropped = self._counter("dropped_pictures_total")
        self._gone = self._counter("client_gone_total")
        self._decoders = self._counter("decoder_deaths_total")
        self._restarts = self._counter("worker_restarts_total")
        self._build = self._gauge("build_info", "livemax")
        self._artifacts = self._gauge("artifact_info", "livemax")
        self._by_request: dict[tuple[str, str, int], Histogram] = {}
        self._by_span = {name: self._spans.labels(name) for name in get_args(Span)}

    def _counter(self, name: str) -> Counter:
        one = BY_NAME[name]
        return Counter(name, one.help, one.labels, namespace=PREFIX, registry=self.registry)

    def _gauge(self, name: str, mode: Literal["livesum", "livemax"]) -> Gauge:
        one = BY_NAME[name]
        return Gauge(
            name,
            one.help,
            one.labels,
            namespace=PREFIX,
            registry=self.registry,
            multiprocess_mode=mode,
        )

    def _histogram(self, name: str) -> Histogram:
        one = BY_NAME[name]
        return Histogram(
            name,
            one.help,
            one.labels,
            namespace=PREFIX,
            registry=self.registry,
            buckets=one.buckets,
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request has been answered; ``route`` is a template."""
        key = (route, method, status)
        child = self._by_request.get(key)
        if child is None:
            child = self._by_request[key] = self._requests.labels(route, method, str(status))
        child.observe(seconds)

    def span(self, name: Span, seconds: float) -> None:
        """A request, or a batch, spent this long in a stage."""
        self._by_span[name].observe(seconds)

    def queue_depth(self, network: str, pictures: int) -> None:
        """So many pictures wait for this network now."""
        self._depths.labels(network).set(pictures)

    def dispatched(self, network: str, pictures: int, reason: str) -> None:
        """A batch of so many pictures was sent off because of ``reason``."""
        self._batches.labels(network).observe(pictures)
        self._dispatches.labels(reason).inc()

    def dropped(self, _network: str, pictures: int, reason: str) -> None:
        """So many pictures will not be computed."""
        self._dropped.labels(reason).inc(pictures)

    def waited(self, _network: str, seconds: float) -> None:
        """A request's pictures waited this long for a network."""
        self.span("queue", seconds)

    def ran(self, _network: str, _pictures: int, seconds: float) -> None:
        """A network computed a batch in this time."""
        self.span("network", seconds)

    def rejected(self, reason: str) -> None:
        """A request was refused; ``reason`` is its problem's slug."""
        self._rejected.labels(reason).inc()

    def cache_event(self, event: str) -> None:
        """A cache read ended (hit, miss, error, corrupt), or the breaker opened or closed."""
        if event.startswith("breaker"):
            self._breaker.inc(1 if event == "breaker_open" else -1)
        else:
            self._cache.labels(event).inc()

    def cache_error(self, kind: str) -> None:
        """The cache failed in this way."""
        self._cache_errors.labels(kind).inc()

    def budget(self, budget_bytes: int) -> None:
        """A client asked for at most so many bytes of a stream."""
        self._budgets.observe(budget_bytes)

    def sent(self, stream_bytes: int) -> None:
        """So many bytes of a stream were sent."""
        self._sent.observe(stream_bytes)

    def encoded(self, codec: str, pictures: int) -> None:
        """So many pictures were encoded."""
        self._pictures.labels(codec).inc(pictures)

    def client_gone(self) -> None:
        """A client left before its answer."""
        self._gone.inc()

    def build(self, version: str, device: str) -> None:
        """This is running, and there its networks."""
        self._build.labels(version, device).set(1)

    def artifact(self, codec: str, version: int, sha: str) -> None:
        """An artifact was loaded; ``sha`` are the first digits of its manifest's hash."""
        self._artifacts.labels(codec, str(version), sha).set(1)

    def decoder_died(self, reason: str) -> None:
        """A decoder process ended, and another one took its place."""
        self._decoders.labels(reason).inc()

    def workers_restarted(self, times: int) -> None:
        """Worker processes died and were started again, so often."""
        self._restarts.inc(times)

    @staticmethod
    def worker_died(pid: int) -> None:
        """Of several workers: what this one held (gauges) no longer counts."""
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
        processes.forget(Path(os.environ[MULTIPROCESS]), pid)

    @staticmethod
    def tell_worker(place: int) -> None:
        """Of several workers: this process is the one in that place."""
        if MULTIPROCESS in os.environ:
            processes.publish(Path(os.environ[MULTIPROCESS]), place)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format (``content_type``)."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self.registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        everyone.register(processes.Workers(Path(os.environ[MULTIPROCESS])))
        return generate_latest(everyone)
