"""Several worker processes on one listening socket: start them, replace those that die, stop them.

A worker is this module run as a program; it inherits the socket and a pipe whose other end only
the parent holds, so that it stops when the parent is gone, however that ended. Metrics are summed
over the workers through files (see ``service.observability.metrics``).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.settings import Settings

YOUNG_SECONDS = 10.0
YOUNG_DEATHS = 5


def supervise(settings: Settings, listener: socket.socket, workers: int) -> int:
    """Run ``workers`` processes until told to stop; the exit code.

    2 when a worker cannot start, 1 when workers keep dying young, else 0.
    """
    with TemporaryDirectory(prefix="prefixel-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from service.observability.exporter import metrics_on_port
        from service.observability.metrics import Metrics

        with metrics_on_port(settings.metrics_port, Metrics()):
            return _Supervisor(listener, workers).run()


class _Supervisor:
    def __init__(self, listener: socket.socket, workers: int) -> None:
        self._listener = listener
        self._workers = workers
        self._born: dict[int, float] = {}
        self._told = False
        self._lifeline, self._parent_end = os.pipe()

    def run(self) -> int:
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            return self._watch()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._lifeline)
            os.close(self._parent_end)

    def _watch(self) -> int:
        from prometheus_client.multiprocess import mark_process_dead

        ready, child_end = os.pipe()
        self._spawn(child_end)  # one alone first: what is wrong is then said once
        os.close(child_end)
        if os.read(ready, 1):
            for _ in range(self._workers - 1):
                self._spawn()
        os.close(ready)
        code, young = 0, 0
        while self._born:
            pid, status = os.wait()
            lived = time.monotonic() - self._born.pop(pid, time.monotonic())
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
            if self._told:
                continue
            died_as = os.waitstatus_to_exitcode(status)
            young = young + 1 if lived < YOUNG_SECONDS else 0
            if died_as == 2 or young > YOUNG_DEATHS:
                code = 2 if died_as == 2 else 1
                self._stop(signal.SIGTERM)
            else:
                self._spawn()
        return code

    def _spawn(self, ready: int | None = None) -> None:
        inherited = [self._listener.fileno(), self._lifeline]
        inherited += [] if ready is None else [ready]
        worker = subprocess.Popen(
            [sys.executable, "-m", __name__, *map(str, inherited)], pass_fds=inherited
        )
        worker.returncode = 0  # os.wait above collects it
        self._born[worker.pid] = time.monotonic()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._told:
            self._signal_all(signal.SIGKILL)
            os._exit(128 + number)
        self._stop(number)

    def _stop(self, number: int) -> None:
        self._told = True
        self._listener.close()  # or connections would wait here for nobody
        self._signal_all(number)

    def _signal_all(self, number: int) -> None:
        for pid in self._born:
            os.kill(pid, number)


def work(listener_fd: int, lifeline_fd: int, on_ready: Callable[[], None]) -> int:
    """Serve on an inherited socket; the exit code."""
    from service.app import real_app
    from service.errors import StartupError
    from service.serving.serve import serve
    from service.settings import read_settings

    Thread(target=_until_parent_is_gone, args=(lifeline_fd,), daemon=True).start()
    try:
        return serve(
            read_settings(), socket.socket(fileno=listener_fd), real_app, on_ready=on_ready
        )
    except StartupError as wrong:
        print(f"prefixel: {wrong}", file=sys.stderr)
        return 2


def _until_parent_is_gone(lifeline_fd: int) -> None:
    os.read(lifeline_fd, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """The worker's program; it is given the socket, the lifeline, perhaps a pipe to report on."""
    listener_fd, lifeline_fd, *report = map(int, sys.argv[1:])

    def on_ready() -> None:
        for descriptor in report:
            os.write(descriptor, b"1")
            os.close(descriptor)

    return work(listener_fd, lifeline_fd, on_ready)


if __name__ == "__main__":
    sys.exit(main())
