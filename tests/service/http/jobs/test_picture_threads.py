"""Pictures wait in a bounded line, are logged before they are opened, and have a deadline."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from service.errors import QueueFullError
from service.http.jobs.picture_threads import BoundedExecutor
from tests.support.photos import encoded
from tests.support.raw import connection, head, read_answer
from tests.support.server import eventually, running_service


def test_more_than_may_wait_is_refused_at_once_and_what_waited_is_done():
    executor = BoundedExecutor("picture", 1, waiting_limit=2)
    gate = threading.Event()
    running = executor.submit(gate.wait, 10)
    eventually(running.running)
    waiting = [executor.submit(int, n) for n in range(2)]
    with pytest.raises(QueueFullError, match="2 pictures wait"):
        executor.submit(int, 3)
    gate.set()
    assert [one.result(10) for one in waiting] == [0, 1]
    executor.shutdown()


def test_the_log_names_a_picture_before_it_is_opened():
    photo = b"not a picture"
    with running_service() as server:
        headers = {"X-Request-ID": "opened"}
        answer = httpx.post(server.url + "/test/encode", content=photo, headers=headers)
        assert answer.status_code == 415
        eventually(lambda: bool(server.events("request")))
        names = [line["event"] for line in server.lines if line.get("request_id") == "opened"]
        assert names == ["picture", "request"]
        assert server.first("picture")["picture_bytes"] == len(photo)


def test_no_line_of_the_log_holds_what_was_uploaded():
    photo = encoded("png")
    with running_service() as server:
        httpx.post(server.url + "/test/encode", content=photo).raise_for_status()
        httpx.post(server.url + "/test/encode", content=b"MARKER-OF-THE-BODY" * 9)
        eventually(lambda: len(server.events("request")) == 2)
    assert "MARKER" not in str(server.lines)
    assert "IHDR" not in str(server.lines)


def test_an_answer_that_would_come_too_late_is_504_when_it_is_due():
    limits = {"PREFIXEL_DEADLINE_SECONDS": 0.5, "TEST_CODEC_DELAY_SECONDS": 2}
    with running_service(**limits) as server:
        begin = time.monotonic()
        answer = httpx.post(server.url + "/test/encode", content=encoded("jpeg"))
        assert answer.status_code == 504
        assert answer.json()["type"] == "urn:prefixel:problem:deadline"
        assert time.monotonic() - begin < 2


def test_a_deadline_counts_from_the_end_of_the_body():
    photo = encoded("jpeg")
    with running_service(PREFIXEL_DEADLINE_SECONDS=0.5) as server, connection(server) as sock:
        sock.sendall(head("POST", "/test/encode", f"Content-Length: {len(photo)}") + photo[:9])
        time.sleep(1)
        sock.sendall(photo[9:])
        assert read_answer(sock)[0] == 200
