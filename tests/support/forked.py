"""The tests' service as a fork of one process that has imported it: most of a start is importing.

The process is multiprocessing's fork server, one for all services that a process of tests starts.
It has one thread, no sockets and no event loop, so that a fork is as good as a start; how the
command itself starts is for the tests of ``prefixel serve``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import IO

MODULE = "tests.support.serve"
PRELOADED = (MODULE, "tests.support.warm")


class Forked:
    """As much of a ``subprocess.Popen`` as tests use; its standard error is a pipe."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        log, end = multiprocessing.Pipe(duplex=False)
        with log, end:
            self._process = context.Process(target=_serve, args=(dict(environment), end))
            self._process.start()
            self.stderr: IO[bytes] | None = os.fdopen(os.dup(log.fileno()), "rb")

    @property
    def pid(self) -> int:
        """Of the service."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code, or the negative number of a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """As ``poll``, once it has ended. Raises TimeoutExpired."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(MODULE, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)


def _serve(environment: Mapping[str, str], log: Connection) -> None:
    os.dup2(log.fileno(), sys.stderr.fileno())
    log.close()
    os.environ.clear()
    os.environ.update(environment)
    from tests.support.serve import main

    sys.exit(main())
