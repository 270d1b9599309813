"""Whoever closes the socket stops the work that was done for them."""

from __future__ import annotations

import httpx

from tests.support.codec import DEFAULT
from tests.support.photos import encoded
from tests.support.raw import connection, head
from tests.support.server import eventually, running_service


def test_a_closed_socket_ends_the_work_and_is_counted():
    with running_service() as server:
        with connection(server) as sock:
            sock.sendall(head("GET", "/test/sleep?seconds=60", "X-Request-ID: gone"))
            eventually(lambda: httpx.get(server.url + "/livez").is_success)
        eventually(lambda: bool(server.events("request")) and _gone(server.url) == 1)
        eventually(
            lambda: (
                ("gone", 499)
                in [(line["request_id"], line["status"]) for line in server.events("request")]
            )
        )


def test_pictures_of_clients_that_left_before_their_batch_are_not_encoded(tmp_path):
    """One picture is in the network; those behind it lose their clients, and are dropped."""
    photo = encoded("jpeg")
    request = head("POST", "/test/encode", f"Content-Length: {len(photo)}") + photo
    gate = tmp_path / "gate"
    gate.touch()
    with running_service(PREFIXEL_MAX_BATCH=1, TEST_CODEC_GATE=gate) as server:
        with connection(server) as first:
            first.sendall(request)
            eventually(lambda: _encoding(server.url) == 1)
            for _ in range(20):
                with connection(server) as sock:
                    sock.sendall(request)
            eventually(lambda: _gone(server.url) == 20, 8)
            gate.unlink()
            first.recv(1)
        text = _metrics(server.url)
        assert f'prefixel_pictures_total{{codec="{DEFAULT}"}} 1.0' in text
        assert f'prefixel_queue_depth{{network="{DEFAULT}-encode"}} 0.0' in text


def _metrics(url: str) -> str:
    return httpx.get(url + "/metrics").text


def _encoding(url: str) -> int:
    return _value(url, f'prefixel_batch_size_count{{network="{DEFAULT}-encode"}}')


def _gone(url: str) -> int:
    return _value(url, "prefixel_client_gone_total")


def _value(url: str, name: str) -> int:
    """A metric's value; 0 while it has none."""
    lines = [line for line in _metrics(url).splitlines() if line.startswith(name + " ")]
    return int(float(lines[0].split()[1])) if lines else 0
