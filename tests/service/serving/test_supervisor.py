"""A worker that dies is started again, one alone too; SIGHUP replaces workers and loses nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.codec import DEFAULT
from tests.support.server import REAL, Server, eventually, running_service

pytestmark = pytest.mark.timeout(400)
SECONDS = 120.0
"""Long: workers start anew, whatever else the machine does."""


@contextmanager
def supervised(workers: int, **environment: str | float) -> Iterator[Server]:
    with running_service(
        REAL, "--workers", str(workers), PREFIXEL_CODECS=DEFAULT, **environment
    ) as server:
        eventually(lambda: len(server.events("listening")) == workers, SECONDS)
        yield server


def workers_of(server: Server) -> set[int]:
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def test_one_worker_that_crashes_is_started_again_and_who_comes_meanwhile_waits() -> None:
    with supervised(1, PREFIXEL_METRICS_PORT=0) as server:
        (first,) = workers_of(server)
        os.kill(first, signal.SIGSEGV)
        eventually(lambda: bool(server.events("worker-died")), SECONDS)
        assert server.first("worker-died")["signal"] == "SIGSEGV"
        # nobody is there yet, and the connection is not refused
        assert httpx.get(server.url + "/livez", timeout=SECONDS).status_code == 200
        assert workers_of(server).isdisjoint({first})
        scraped = f"http://127.0.0.1:{server.first('listening')['metrics_port']}/metrics"
        assert "prefixel_worker_restarts_total 1.0" in httpx.get(scraped, timeout=SECONDS).text
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: bool(server.events("reload-refused")), SECONDS)
        assert "memory" in server.first("reload-refused")["reason"]
        assert httpx.get(server.url + "/livez", timeout=SECONDS).status_code == 200
        server.terminate()
        assert server.wait() == 0


def test_sighup_replaces_every_worker_and_no_request_fails(tmp_path: Path) -> None:
    with supervised(
        2, PREFIXEL_STORE_PATH=str(tmp_path / "streams.db"), PREFIXEL_DRAIN_GRACE_SECONDS=0.5
    ) as server:
        before, stop, seen = workers_of(server), threading.Event(), []
        # Ctrl-C is for a group: a worker, which would get it twice, has one of its own
        assert os.getpgid(server.process.pid) not in map(os.getpgid, before)
        url = server.url + "/v1/codecs"

        def client() -> None:
            with httpx.Client(timeout=SECONDS) as session:
                while not stop.wait(0.02):
                    seen.append(session.get(url).status_code)

        clients = [threading.Thread(target=client) for _ in range(3)]
        for one in clients:
            one.start()
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: bool(server.events("reloaded")), SECONDS)
        stop.set()
        for one in clients:
            one.join()
        after = workers_of(server)
        assert len(after) == 2
        assert after.isdisjoint(before)
        assert set(seen) == {200}
        assert not server.events("worker-died")
        told = httpx.get(server.url + "/metrics", timeout=SECONDS).text
        assert "prefixel_worker_restarts_total 0.0" in told


def test_a_taken_port_of_metrics_is_said_once() -> None:
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [*REAL],
            env={**os.environ, "PREFIXEL_METRICS_PORT": port},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert f"PREFIXEL_METRICS_PORT {port}" in run.stderr
