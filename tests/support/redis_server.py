"""Real Redis servers on free ports, which tests may pause, kill and start again.

with RedisServer() as redis:
    redis.url; redis.pause(); redis.resume(); redis.kill(); redis.start()
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType

import pytest

START_SECONDS = 10.0
SLOTS = 16384


def redis_binary() -> str:
    """Path of redis-server. Without one the test is skipped, or fails where CI is set."""
    binary = shutil.which("redis-server")
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed, and CI tests against the real one")
        pytest.skip("redis-server is not installed")
    return binary


def free_port(below: int = 65536) -> int:
    """A port of the loopback that nobody listens on now, under ``below``."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < below:
            return port


class RedisServer:
    """One redis-server without persistence; a context manager that stops it."""

    def __init__(self, options: Sequence[str] = (), port: int | None = None) -> None:
        self.port = port or free_port()
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``redis://127.0.0.1:PORT/0``."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, on the same port as before; returns when it answers."""
        command = [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", self._folder.name, *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                if self.ask("PING") == b"+PONG\r\n":
                    return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"redis-server does not answer on port {self.port}")
            time.sleep(0.02)

    def ask(self, *words: str | bytes | int) -> bytes:
        """One command on a connection of its own; the raw reply (a short one)."""
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        packed = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(packed)
            return connection.recv(65536)

    def pause(self) -> None:
        """SIGSTOP: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: connections break, the port refuses."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Kill it, if it runs, and drop its folder."""
        if self._process is not None:
            self.kill()
        self._folder.cleanup()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server does not run"
        self._process.send_signal(number)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@contextmanager
def redis_cluster(nodes: int = 3) -> Iterator[list[RedisServer]]:
    """A Redis Cluster of masters without replicas, the slots shared out evenly."""
    with ExitStack() as stack:
        # The cluster's own bus listens on the port + 10000.
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        servers = [
            stack.enter_context(RedisServer(options, free_port(below=55536))) for _ in range(nodes)
        ]
        for i, server in enumerate(servers):
            server.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            first, last = SLOTS * i // nodes, SLOTS * (i + 1) // nodes - 1
            server.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
            server.ask("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
        end = time.monotonic() + START_SECONDS
        while not all(_complete(server, nodes) for server in servers):
            if time.monotonic() > end:
                raise RuntimeError("the cluster does not come together")
            time.sleep(0.05)
        yield servers


def _complete(server: RedisServer, nodes: int) -> bool:
    info = server.ask("CLUSTER", "INFO").decode()
    return (
        "cluster_state:ok" in info
        and f"cluster_slots_assigned:{SLOTS}" in info
        and f"cluster_known_nodes:{nodes}" in info
    )
