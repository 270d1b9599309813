"""``prefixel serve`` says plainly why it does not start, and keeps its workers alive."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from io import StringIO

import httpx
import psutil
import pytest

from service.cli.greeting import greeting
from tests.support.codec import DEFAULT
from tests.support.server import REAL, eventually, running_service


def refuse(*arguments: str, **environment: str) -> str:
    """What ``prefixel serve`` says when it does not start; asserts that it exits with 2."""
    run = subprocess.run(
        [sys.executable, "-m", "service.cli.main", "serve", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2, run
    return run.stderr


def test_workers_without_a_cache_they_can_share_are_refused_with_the_reason():
    said = refuse("--workers", "2")
    assert "PREFIXEL_REDIS_URL" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PREFIXEL_QUEUE_LIMIT": "many"}, "PREFIXEL_QUEUE_LIMIT"),
        ({"PREFIXEL_MAX_BATCH": "3"}, "PREFIXEL_MAX_BATCH"),
        ({"PREFIXEL_ARTIFACTS_PATH": "/nowhere"}, "/nowhere"),
        ({"PREFIXEL_DEFAULT_CODEC": "missing", "PREFIXEL_CODECS": DEFAULT}, "missing"),
        ({"PREFIXEL_REDIS_URL": "http://x"}, "PREFIXEL_REDIS_URL: 'http://x' is no Redis URL"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(environment, named):
    said = refuse("--port", "0", **environment)
    plain = [text for text in said.splitlines() if not text.startswith("{")]
    assert len(plain) == 1, said
    assert plain[0].startswith("prefixel: ")
    assert named in plain[0]


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refuse("--port", port)


def test_a_setting_that_is_set_to_nothing_is_as_if_unset(monkeypatch):
    from service.settings import read_settings

    monkeypatch.setenv("PREFIXEL_METRICS_PORT", "")
    monkeypatch.setenv("PREFIXEL_MAX_BATCH", "8")
    assert (read_settings().metrics_port, read_settings().max_batch) == (None, 8)


def test_a_start_on_a_terminal_says_what_it_does_and_then_the_address():
    shown, terminal = pty.openpty()
    process = subprocess.Popen(REAL, env=os.environ | {"PREFIXEL_CODECS": DEFAULT}, stderr=terminal)
    os.close(terminal)
    try:
        with os.fdopen(shown) as lines:
            said = (line for line in lines if line.startswith("prefixel: "))
            assert "loading" in next(said)
            last = next(line for line in said if "still loading" not in line)
            url = re.search(r"open (http://127\.0\.0\.1:\d+/)", last)[1]
            assert httpx.get(url).status_code == 200
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize(
    ("host", "url"),
    [("::", "http://[::1]:80/"), ("0.0.0.0", "http://127.0.0.1:80/"), ("a", "http://a:80/")],
)
def test_the_address_is_one_that_a_browser_opens(host, url):
    class Terminal(StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    greeting(host, 80, terminal)()
    assert f"open {url} " in terminal.getvalue()
    silent = StringIO()
    greeting(host, 80, silent)()
    assert silent.getvalue() == ""


@pytest.fixture
def workers(tmp_path):
    """Two workers of the real service, which share a SQLite file."""
    path = str(tmp_path / "streams.sqlite")
    with running_service(
        REAL, "--workers", "2", PREFIXEL_STORE_PATH=path, PREFIXEL_CODECS=DEFAULT
    ) as server:
        eventually(lambda: len(server.events("listening")) == 2, 60)
        yield server


def test_a_worker_that_dies_is_replaced_metrics_are_of_all_and_sigterm_stops_all(workers):
    children = psutil.Process(workers.process.pid).children()
    assert len(children) == 2
    for _ in range(20):
        assert httpx.get(workers.url + "/livez").status_code == 200
    text = httpx.get(workers.url + "/metrics").text
    assert (
        'http_request_duration_seconds_count{method="GET",route="/livez",status="200"} 20.0' in text
    )
    children[0].kill()
    eventually(lambda: len(workers.events("listening")) == 3, 60)
    assert httpx.get(workers.url + "/livez").status_code == 200
    text = httpx.get(workers.url + "/metrics").text
    assert "prefixel_worker_restarts_total 1.0" in text  # told by one of all, not by each
    children = psutil.Process(workers.process.pid).children()
    workers.terminate()
    assert workers.wait() == 0
    assert not any(child.is_running() for child in children)


def test_workers_stop_together_and_none_outlives_a_parent_that_was_killed(workers):
    children = psutil.Process(workers.process.pid).children()
    workers.process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
