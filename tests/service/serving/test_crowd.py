"""Connections are bounded by the setting, by open files and by client; the refused hear it."""

from __future__ import annotations

import resource
import socket
import subprocess
from contextlib import ExitStack

import pytest

from service.errors import ConfigurationError
from service.http.request.addresses import Clients
from service.serving.crowd import Crowd
from service.serving.open_files import RESERVE, connections_limit
from service.settings import Settings
from tests.support.raw import head, read_answer
from tests.support.server import FAKE, running_service

PROBE = head("GET", "/livez")
CLOSING = head("GET", "/livez", "Connection: close")
OPEN_FILES = 160


class Busy:
    idle_since = None


def dial(stack: ExitStack, server, source: str = "127.0.0.1") -> socket.socket:
    return stack.enter_context(
        socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=(source, 0))
    )


def ask(sock: socket.socket) -> int:
    sock.sendall(PROBE)
    return read_answer(sock)[0]


def test_one_client_has_a_share_of_the_connections_and_another_comes_in():
    with (
        running_service(PREFIXEL_TRUSTED_PROXIES="none", PREFIXEL_CONNECTIONS_LIMIT=16) as server,
        ExitStack() as stack,
    ):
        greedy = [dial(stack, server, "127.0.0.2") for _ in range(4)]  # none asks yet: none is idle
        status, headers, _ = read_answer(dial(stack, server, "127.0.0.2"))
        assert (status, headers["retry-after"]) == (429, "1")
        assert ask(dial(stack, server, "127.0.0.3")) == 200
        assert {ask(sock) for sock in greedy} == {200}
        assert ask(dial(stack, server, "127.0.0.2")) == 200  # its longest idle one made room
        assert greedy[0].recv(1) == b""


def test_behind_a_proxy_that_is_not_named_there_is_no_share():
    crowd = Crowd(8, 0.25, Clients(None))
    assert [crowd.enter(object(), "10.0.0.1") for _ in range(8)] == [None] * 8


def test_what_is_counted_is_given_back():
    crowd = Crowd(8, 0.25, Clients(None))
    for _ in range(3):
        guests = [Busy() for _ in range(3)]
        assert [crowd.enter(guest, "8.8.8.8") for guest in guests] == [None, None, "client-share"]
        for guest in guests:
            crowd.leave(guest, "8.8.8.8")
    assert not crowd._guests
    assert not crowd._by_client


def test_past_the_open_files_the_surplus_hears_503_and_the_log_says_so():
    limited = ("prlimit", f"--nofile={OPEN_FILES}", *FAKE)
    with running_service(limited) as server, ExitStack() as stack:
        limit = server.first("listening")["connections_limit"]
        assert 10 < limit < OPEN_FILES - RESERVE
        assert server.first("connections-limited")["asked"] == 4096
        held = [dial(stack, server) for _ in range(limit)]
        assert [ask(sock) for sock in held] == [200] * limit
        for sock in held:
            sock.sendall(PROBE[:10])  # busy, so that none makes room
        assert ask(dial(stack, server)) == 503
        refused = [dial(stack, server) for _ in range(20)]
        assert [read_answer(sock)[0] for sock in refused] == [503] * 20
        for sock in held:
            sock.sendall(PROBE[10:])
        assert [read_answer(sock)[0] for sock in held] == [200] * limit
        assert len(server.events("connections-refused")) == 1


def test_the_limit_is_the_smaller_of_both_and_none_at_all_is_refused(monkeypatch):
    def allowed(files: int) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))

    allowed(resource.RLIM_INFINITY)
    assert connections_limit(Settings(connections_limit=100)) == 100
    allowed(100_000)
    assert connections_limit(Settings(connections_limit=100)) == 100
    allowed(1000)
    alone = connections_limit(Settings(connections_limit=1000))
    assert 1000 - RESERVE - 200 < alone < 1000 - RESERVE
    with_redis = connections_limit(Settings(connections_limit=1000, redis_url="redis://x"))
    assert alone - with_redis == 32 + 8
    allowed(RESERVE)
    with pytest.raises(ConfigurationError, match="ulimit -n is 64"):
        connections_limit(Settings())


def test_a_process_that_could_take_no_connection_does_not_start():
    ended = subprocess.run(
        ("prlimit", f"--nofile={RESERVE}", *FAKE),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode
    assert "ulimit -n is 64" in ended.stderr
