"""Stopping loses nothing: what was accepted is answered, and the event loop is never kept."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from service.serving.server import ONE_SIGNAL_SECONDS
from tests.support.photos import encoded
from tests.support.raw import connection, head, read_answer
from tests.support.server import eventually, running_service


def test_after_sigterm_readyz_is_503_while_requests_are_still_taken():
    with running_service(PREFIXEL_DRAIN_GRACE_SECONDS=2) as server:
        assert httpx.get(server.url + "/readyz").status_code == 200
        server.terminate()
        eventually(lambda: httpx.get(server.url + "/readyz").status_code == 503)
        answer = httpx.get(server.url + "/readyz")
        assert answer.json()["type"] == "urn:prefixel:problem:draining"
        assert answer.headers["retry-after"] == "1"
        assert httpx.get(server.url + "/livez").status_code == 200
        upload = httpx.post(server.url + "/test/length", content=b"abc")
        assert upload.status_code == 200
        assert upload.headers["connection"] == "close"
        assert server.wait() == 0
        assert server.events("stopped")


def test_under_load_no_accepted_request_fails_when_the_service_stops():
    """Clients keep their connections, and go elsewhere only when a new one is refused."""
    photo = encoded("jpeg")
    failures: list[str] = []
    done = [0]
    refused = threading.Event()
    limits = {"PREFIXEL_DRAIN_GRACE_SECONDS": 1, "TEST_CODEC_DELAY_SECONDS": 0.1}
    with running_service(**limits) as server:
        url = server.url

        def client(_: int) -> None:
            with httpx.Client(timeout=30) as session:
                while not refused.is_set():
                    try:
                        answer = session.post(url + "/test/encode", content=photo)
                    except httpx.ConnectError:
                        refused.set()
                        return
                    except httpx.HTTPError as error:
                        failures.append(repr(error))
                        return
                    if answer.status_code != 200:
                        failures.append(answer.text)
                    done[0] += 1

        with ThreadPoolExecutor(8) as pool:
            clients = [pool.submit(client, n) for n in range(8)]
            eventually(lambda: done[0] > 16, 20)
            server.terminate()
            for one in clients:
                one.result()
        assert server.wait() == 0
    assert not failures


def test_a_request_in_flight_when_the_grace_ends_is_still_answered():
    with running_service(PREFIXEL_DRAIN_GRACE_SECONDS=0) as server, connection(server) as sock:
        sock.sendall(head("GET", "/test/patient?seconds=1.2"))
        time.sleep(0.3)
        server.terminate()
        assert read_answer(sock)[0] == 200
        assert server.wait() == 0


def test_a_body_in_flight_when_the_grace_ends_is_still_taken():
    with running_service(PREFIXEL_DRAIN_GRACE_SECONDS=0) as server, connection(server) as sock:
        sock.sendall(head("POST", "/test/length", "Content-Length: 3") + b"a")
        time.sleep(0.3)
        server.terminate()
        time.sleep(0.5)
        sock.sendall(b"bc")
        assert read_answer(sock)[0] == 200
        assert server.wait() == 0


def test_what_does_not_finish_within_the_drain_is_cut():
    limits = {"PREFIXEL_DRAIN_GRACE_SECONDS": 0, "PREFIXEL_DRAIN_SECONDS": 1}
    with running_service(**limits) as server, connection(server) as sock:
        sock.sendall(head("GET", "/test/patient?seconds=50"))
        time.sleep(0.3)
        begin = time.monotonic()
        server.terminate()
        server.wait()
        assert time.monotonic() - begin < 15


def test_an_idle_connection_does_not_hold_the_process():
    with running_service(PREFIXEL_DRAIN_GRACE_SECONDS=0) as server, connection(server) as sock:
        sock.sendall(head("GET", "/livez"))
        assert read_answer(sock)[0] == 200
        server.terminate()
        assert server.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(number):
    with running_service(PREFIXEL_DRAIN_GRACE_SECONDS=50) as server:
        server.terminate()
        eventually(lambda: httpx.get(server.url + "/readyz").status_code == 503)
        time.sleep(ONE_SIGNAL_SECONDS)
        server.process.send_signal(number)
        assert server.wait(5) == 128 + number


def test_a_signal_that_comes_twice_at_once_is_one():
    """As from a manager that tells every process, and from the supervisor."""
    with running_service(PREFIXEL_DRAIN_GRACE_SECONDS=1) as server:
        server.terminate()
        server.terminate()
        assert server.wait(10) == 0


def test_the_event_loop_turns_while_pictures_and_networks_are_computed():
    """Beside seconds of decoding and of encoding, it is never kept for a good part of one."""
    large = encoded("png", Image.effect_noise((3000, 2000), 60).convert("RGB"))
    limits = {"TEST_CODEC_DELAY_SECONDS": 1, "PREFIXEL_MAX_BATCH": 1}
    with running_service(**limits) as server, ThreadPoolExecutor(5) as pool:
        watch = pool.submit(httpx.get, server.url + "/test/loop?seconds=3", timeout=30)
        uploads = [
            pool.submit(httpx.post, server.url + "/test/encode", content=large, timeout=30)
            for _ in range(2)
        ]
        assert [one.result().status_code for one in uploads] == [200] * 2
        assert watch.result().json()["worst_seconds"] < 0.5
