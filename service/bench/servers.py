"""Starts the service and the peer as processes of their own, and stops them."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05

SERVICE = ("-m", "service.cli.main", "serve", "--port")
PEER = ("-m", "service.bench.peer")


class StartError(Exception):
    """A server that was to be measured does not run; the message says what it said."""


@contextmanager
def started(arguments: Sequence[str]) -> Iterator[str]:
    """``python ARGUMENTS PORT`` while inside; yields its URL. Raises StartError.

    It inherits the environment, so that PREFIXEL_* hold for it; it logs into a file that goes away.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *arguments, str(port)], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            if not _listens(process, port):
                log.seek(0)
                words = log.read()[-2000:].decode(errors="replace").strip()
                raise StartError(f"{' '.join(arguments)} does not start: {words}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    due = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < due:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return True
    return False
