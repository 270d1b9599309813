"""Keeps worker processes on one listening socket: starts, replaces and stops them.

One worker is enough: what kills it (a decoder, the kernel) does not end the service. The socket
stays open meanwhile, so that connections wait for the next worker instead of being refused.

dies        started again at once, later when many did lately (``service.serving.pace``)
SIGHUP      workers are replaced one by one: the next one is stopped when its successor is ready
SIGTERM     sent on; a second one kills

Metrics of several are summed through files (see ``service.observability.metrics``); one worker has
its own, and serves them on a socket that it inherits.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from service import same_code
from service.observability.logs import LogWriter
from service.serving.pace import Pace
from service.serving.worker import NONE, Inherited

if TYPE_CHECKING:
    from types import FrameType

    from service.settings import Settings

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
CANNOT_START = 2
FAILED = 1


def supervise(
    settings: Settings,
    listener: socket.socket,
    workers: int,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Run ``workers`` processes until told to stop; the exit code.

    ``on_ready`` is called when the first is ready. 2 when it cannot start, 1 when for a minute none
    got ready, else 0. Raises ConfigurationError when the port of /metrics is taken.
    """
    from service.observability.exporter import listen_for_metrics, metrics_on

    log = LogWriter(settings.log_level)
    keep = None
    if settings.redis_url is None and settings.store_path is None:
        keep = "streams are in the memory of the process: a new one would not know them"
    with ExitStack() as stack:
        scraped = listen_for_metrics(settings.metrics_port)
        if scraped is not None:
            stack.enter_context(scraped)
        if workers == 1:
            metrics = NONE if scraped is None else scraped.fileno()
            return _Supervisor(listener, metrics, 1, log, keep, on_ready).run()
        folder = stack.enter_context(TemporaryDirectory(prefix="prefixel-metrics-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from service.observability.metrics import Metrics

        summed = Metrics()
        stack.enter_context(metrics_on(scraped, summed))
        supervisor = _Supervisor(listener, NONE, workers, log, keep, on_ready)
        supervisor.on_restart = lambda: summed.workers_restarted(1)
        supervisor.on_death = summed.worker_died
        return supervisor.run()


@dataclass(slots=True)
class _Worker:
    """A process in one of the places 0, 1, 2, ...; two share one while SIGHUP replaces."""

    place: int
    pid: int
    born: float
    is_ready: bool = False
    is_leaving: bool = False


class _Supervisor:
    def __init__(
        self,
        listener: socket.socket,
        metrics: int,
        workers: int,
        log: LogWriter,
        keep: str | None,
        on_ready: Callable[[], None],
    ) -> None:
        """``keep`` is why workers may not be replaced, or None."""
        self.on_restart: Callable[[], None] = lambda: None
        self.on_death: Callable[[int], None] = lambda _pid: None
        self._listener = listener
        self._metrics = metrics
        self._places = range(workers)
        self._log = log
        self._keep = keep
        self._on_ready = on_ready
        self._pace = Pace(workers)
        self._workers: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}
        """When a place is filled again."""
        self._to_replace: deque[int] = deque()
        self._successor: tuple[int, int] | None = None
        """Who is about to take over from whom, while SIGHUP replaces."""
        self._restarts = 0
        self._was_ready = self._told = False
        self._code = 0
        self._selector = selectors.DefaultSelector()
        self._lifeline, self._own_end = os.pipe()

    def run(self) -> int:
        with self._signals():
            self._spawn(0)  # one alone first: what is wrong is then said once
            while self._workers or self._due:
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._spawn_due()
        os.close(self._lifeline)
        if not self._told:
            os.close(self._own_end)
        return self._code

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The kernel's signals become something to select on."""
        receiver, sender = socket.socketpair()
        receiver.setblocking(False)
        sender.setblocking(False)

        def take() -> None:
            for number in receiver.recv(4096):
                self._on_signal(signal.Signals(number))

        def ignore(_number: int, _frame: FrameType | None) -> None:
            """The byte on the socket tells."""

        before = {number: signal.signal(number, ignore) for number in SIGNALS}
        fd = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        self._selector.register(receiver, selectors.EVENT_READ, take)
        try:
            yield
        finally:
            signal.set_wakeup_fd(fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            receiver.close()
            sender.close()

    def _on_signal(self, number: signal.Signals) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP:
            self._replace_all()
        elif self._told:
            self._signal_all(signal.SIGKILL)
            os._exit(128 + number)
        else:
            self._stop(number)

    def _patience(self) -> float | None:
        if not self._due:
            return None
        return max(0.0, min(self._due.values()) - time.monotonic())

    def _spawn_due(self) -> None:
        now = time.monotonic()
        for place in [place for place, due in self._due.items() if due <= now]:
            del self._due[place]
            self._spawn(place)

    def _spawn(self, place: int) -> int:
        report, child_end = os.pipe()
        is_alone = len(self._places) == 1  # else the metrics of all have it from here
        given = Inherited(
            self._listener.fileno(),
            self._lifeline,
            child_end,
            self._metrics,
            self._restarts if is_alone else 0,
            place,
        )
        # In a group of its own: Ctrl-C is for the supervisor, which sends it on, once.
        process = subprocess.Popen(
            given.command,
            pass_fds=given.descriptors,
            process_group=0,
            env=same_code.environment(os.environ),
        )
        process.returncode = 0  # waitpid below collects it
        os.close(child_end)
        worker = _Worker(place, process.pid, time.monotonic())
        self._workers[worker.pid] = worker
        self._selector.register(
            report, selectors.EVENT_READ, lambda: self._on_report(report, worker)
        )
        return worker.pid

    def _on_report(self, report: int, worker: _Worker) -> None:
        worker.is_ready = bool(os.read(report, 1))
        self._selector.unregister(report)
        os.close(report)
        if not worker.is_ready:
            return  # it died; SIGCHLD tells how
        self._pace.saw_ready()
        if not self._was_ready:
            self._was_ready = True
            self._on_ready()
            if not self._told:
                for place in self._places[1:]:
                    self._spawn(place)
        if self._successor is not None and self._successor[0] == worker.pid:
            _, old = self._successor
            if old in self._workers:
                self._workers[old].is_leaving = True
                os.kill(old, signal.SIGTERM)
            else:
                self._replace_next()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:  # else an orphan, as the first process of a container gets them
                self.on_death(pid)
                self._on_death(worker, os.waitstatus_to_exitcode(status))

    def _on_death(self, worker: _Worker, code: int) -> None:
        if self._told:
            return
        if worker.is_ready:
            self._pace.saw_ready()
        if self._successor is not None and worker.pid in self._successor:
            new, old = self._successor
            if worker.pid == old:
                if new in self._workers and self._workers[new].is_ready:
                    self._replace_next()
                return
            self._successor = None
            self._to_replace.clear()
            self._log.event_now("reload-failed", "error", pid=new, **_cause(code))
        stays = {one.place for one in self._workers.values() if not one.is_leaving}
        if worker.place in stays or worker.place in self._due:
            return
        self._log.event_now(
            "worker-died",
            "error",
            pid=worker.pid,
            lived_seconds=round(time.monotonic() - worker.born, 1),
            **_cause(code),
        )
        if not self._was_ready and code > 0:
            self._code = CANNOT_START if code == CANNOT_START else FAILED
            return
        wait = self._pace.died()
        if self._pace.is_hopeless and not any(one.is_ready for one in self._workers.values()):
            self._log.event_now("giving-up", "error")
            self._code = FAILED
            self._stop(signal.SIGTERM)
            return
        self._restarts += 1
        self.on_restart()
        self._due[worker.place] = time.monotonic() + wait

    def _replace_all(self) -> None:
        """SIGHUP: each that is there now is replaced by a new one."""
        if self._told or not self._was_ready:
            return
        if self._keep is not None:
            self._log.event_now("reload-refused", "warning", reason=self._keep)
            return
        leaving = () if self._successor is None else self._successor
        self._to_replace = deque(pid for pid in self._workers if pid not in leaving)
        self._log.event_now("reload", workers=len(self._to_replace))
        if self._successor is None:
            self._replace_next()

    def _replace_next(self) -> None:
        self._successor = None
        while self._to_replace:
            old = self._workers.get(self._to_replace.popleft())
            if old is not None:
                self._successor = (self._spawn(old.place), old.pid)
                return
        self._log.event_now("reloaded")

    def _stop(self, number: signal.Signals) -> None:
        self._told = True
        self._due.clear()
        self._listener.close()  # or connections would wait here for nobody
        self._signal_all(number)
        os.close(self._own_end)  # they learn that none of them is replaced

    def _signal_all(self, number: signal.Signals) -> None:
        for worker in self._workers.values():
            # one that only starts has no handler yet, and Python would show where Ctrl-C met it
            early = number == signal.SIGINT and not worker.is_ready
            os.kill(worker.pid, signal.SIGTERM if early else number)


def _cause(code: int) -> dict[str, object]:
    """Why a process ended: a signal's name, or its exit code."""
    return {"signal": signal.Signals(-code).name} if code < 0 else {"exit_code": code}
