"""A worker's program: it serves on sockets that it inherits, until its supervisor is gone.

    python -m service.serving.worker LISTENER LIFELINE REPORT METRICS RESTARTS PLACE

The first four are descriptors (METRICS may be -1). The other end of LIFELINE only the supervisor
holds, and only until all are to stop: then, or when it is gone, however it ended, a worker stops
and knows that it is not replaced. REPORT is written to when the
worker is ready.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from dataclasses import astuple, dataclass
from threading import Thread
from typing import TYPE_CHECKING

from service import same_code

if TYPE_CHECKING:
    from service.observability.metrics import Metrics

NONE = -1


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a supervisor hands over: descriptors, past restarts, which of the workers it is."""

    listener: int
    lifeline: int
    report: int
    metrics: int = NONE
    restarts: int = 0
    place: int = 0

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Those that must stay open in the worker."""
        return tuple(one for one in astuple(self)[:4] if one != NONE)

    @property
    def command(self) -> list[str]:
        """The command line of the worker."""
        return same_code.command(__name__, *astuple(self))


def work(given: Inherited) -> int:
    """Serve; the exit code, 2 when it cannot start."""
    from service.app import real_app
    from service.errors import StartupError
    from service.serving.serve import serve
    from service.settings import read_settings

    Thread(target=_until_supervisor_is_gone, args=(given.lifeline,), daemon=True).start()

    def others_listen() -> bool:
        return not select.select([given.lifeline], [], [], 0)[0]

    def on_ready(metrics: Metrics) -> None:
        metrics.workers_restarted(given.restarts)
        metrics.tell_worker(given.place)
        os.write(given.report, b"1")
        os.close(given.report)

    try:
        return serve(
            read_settings(),
            socket.socket(fileno=given.listener),
            real_app,
            metrics_listener=None if given.metrics == NONE else socket.socket(fileno=given.metrics),
            on_ready=on_ready,
            others_listen=others_listen,
        )
    except StartupError as wrong:
        print(f"prefixel: {wrong}", file=sys.stderr)
        return 2


def _until_supervisor_is_gone(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(work(Inherited(*map(int, sys.argv[1:]))))
