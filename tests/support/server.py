"""The real service as a subprocess on a free port, for whoever tests over real sockets.

    with running_service(PREFIXEL_QUEUE_LIMIT=8) as server:
        httpx.get(server.url + "/livez")

The codec is ``tests.support.codec`` unless ``artifacts`` are asked for (``prefixel serve`` itself);
it is started as a fork (``tests.support.forked``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from tests.support.forked import MODULE, Forked

START_SECONDS = 60.0
STOP_SECONDS = 30.0
FAKE = (sys.executable, "-m", MODULE)
REAL = (sys.executable, "-m", "service.cli.main", "serve", "--port", "0")


@dataclass
class Server:
    """A service that runs; ``lines`` are its log so far, each a JSON object or {"text": ...}."""

    process: subprocess.Popen[bytes] | Forked
    lines: list[dict[str, Any]] = field(default_factory=list)
    _listening: Event = field(default_factory=Event)
    _reader: Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.first("listening")["port"])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in list(self.lines) if line.get("event") == name]

    def first(self, name: str) -> dict[str, Any]:
        """The first line of an event; raises IndexError before it came."""
        return self.events(name)[0]

    def terminate(self) -> None:
        """Send SIGTERM, and return at once."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code, and the log is whole. Raises TimeoutExpired."""
        code = self.process.wait(seconds)
        if self._reader is not None:
            self._reader.join(seconds)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"text": text.decode(errors="replace")}
            self.lines.append(line)
            if line.get("event") == "listening":
                self._listening.set()
        self._listening.set()


@contextmanager
def running_service(
    command: Sequence[str] = FAKE, /, *arguments: str, **environment: str | float
) -> Iterator[Server]:
    """Start it, wait until it listens, stop it. Fails when it does not start or does not stop."""
    variables = {**_clean(os.environ), **{name: str(value) for name, value in environment.items()}}
    words = (*command, *arguments)
    process = (
        Forked(variables)
        if words == FAKE
        else subprocess.Popen(words, stderr=subprocess.PIPE, env=variables)
    )
    server = Server(process)
    server._reader = Thread(target=server._read, daemon=True)
    server._reader.start()
    try:
        server._listening.wait(START_SECONDS)
        assert server.events("listening"), f"the service did not start: {server.lines}"
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            server.wait()
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            assert process.stderr is not None
            process.stderr.close()


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until it holds; fails when it does not in time."""
    due = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < due, f"still not so after {seconds} s"
        time.sleep(0.01)


def _clean(environment: os._Environ[str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("PREFIXEL_")}
