"""No client can hold a connection, or memory, for longer or more than a bound."""

from __future__ import annotations

import itertools
import random
import re
import time
from contextlib import ExitStack
from threading import Thread

import httpx
import psutil
import pytest

from tests.support.raw import connection, head, is_closed, read_answer
from tests.support.server import eventually, running_service

PROBE = head("GET", "/livez")


@pytest.fixture(scope="module")
def roomy():
    with running_service() as started:
        yield started


@pytest.fixture(scope="module")
def server():
    with running_service(
        PREFIXEL_HEADER_TIMEOUT_SECONDS=0.5,
        PREFIXEL_WRITE_TIMEOUT_SECONDS=0.5,
        PREFIXEL_BODY_LIMIT_BYTES=1000,
    ) as started:
        yield started


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_headers_that_do_not_come_end_the_connection(server, sent):
    with connection(server) as sock:
        sock.sendall(sent)
        assert read_answer(sock)[0] == 408
        assert is_closed(sock)


def test_headers_that_trickle_do_not_win_time(server):
    begin = time.monotonic()
    with connection(server) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        try:
            while time.monotonic() - begin < 10:
                sock.sendall(b"a")
                time.sleep(0.1)
        except ConnectionError:
            pass
    assert time.monotonic() - begin < 5


def test_the_second_request_of_a_connection_may_not_trickle_either(server):
    with connection(server) as sock:
        sock.sendall(head("GET", "/livez"))
        assert read_answer(sock)[0] == 200
        sock.sendall(b"GET /livez HTTP/1.1\r\n")
        assert read_answer(sock)[0] == 408
        assert is_closed(sock)


def test_endless_headers_are_431(server):
    with connection(server) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nX-Long: ")
        for _ in range(10):
            sock.sendall(b"a" * 10_000)
            time.sleep(0.02)
        assert read_answer(sock)[0] == 431


def test_an_early_answer_reaches_a_client_that_is_still_sending(server):
    """Closing at once would reset the connection, and the 413 would be lost."""
    answer = httpx.post(server.url + "/test/length", content=bytes(20_000_000), timeout=20)
    assert answer.status_code == 413


def test_a_connection_serves_on_after_an_early_answer(server):
    with connection(server) as sock:
        sock.sendall(head("POST", "/test/length", "Content-Length: 2000"))
        assert read_answer(sock)[0] == 413
        sock.sendall(bytes(2000) + head("GET", "/livez"))
        assert read_answer(sock)[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("cut", [1, 20, len(PROBE) - 1])
def test_a_body_may_end_with_the_begin_of_the_next_request(roomy, chunked, cut):
    """What belongs to the body is not counted as a part of the next one's headers."""
    body = bytes(200_000)
    if chunked:
        upload = head("POST", "/v1/images", "Transfer-Encoding: chunked")
        upload += b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    else:
        upload = head("POST", "/v1/images", f"Content-Length: {len(body)}") + body
    with connection(roomy) as sock:
        sock.sendall(upload + PROBE[:cut])
        assert read_answer(sock)[0] == 415
        sock.sendall(PROBE[cut:])
        assert read_answer(sock)[0] == 200


def test_a_client_that_does_not_read_its_answer_is_cut(server):
    process = psutil.Process(server.process.pid)

    def is_held(port: int) -> bool:
        return port in [one.raddr.port for one in process.net_connections("tcp") if one.raddr]

    with connection(server) as sock:
        port = sock.getsockname()[1]
        sock.sendall(head("GET", "/test/large?size=100000000"))
        eventually(lambda: is_held(port))
        eventually(lambda: not is_held(port), 10)


def test_over_the_limit_the_longest_idle_connection_makes_room():
    with (
        running_service(PREFIXEL_CONNECTIONS_LIMIT=2) as server,
        connection(server) as oldest,
        connection(server) as newer,
    ):
        for sock in (oldest, newer):
            sock.sendall(head("GET", "/livez"))
            assert read_answer(sock)[0] == 200
            time.sleep(0.05)
        with connection(server) as third:
            third.sendall(head("GET", "/livez"))
            assert read_answer(third)[0] == 200
            assert is_closed(oldest)
            newer.sendall(head("GET", "/livez"))
            assert read_answer(newer)[0] == 200


def test_over_the_limit_with_nobody_idle_the_new_one_is_503():
    with running_service(PREFIXEL_CONNECTIONS_LIMIT=1) as server, connection(server) as busy:
        busy.sendall(head("GET", "/test/sleep?seconds=1"))
        time.sleep(0.2)
        with connection(server) as refused:
            status, headers, _ = read_answer(refused)
            assert (status, headers["retry-after"]) == (503, "1")
        assert read_answer(busy)[0] == 200


def pipelined(draw: random.Random) -> tuple[bytes, int]:
    """A request with a body that looks like requests, and how long that is."""
    body = draw.choice([b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x"]) * draw.randrange(1, 50)
    if draw.random() < 0.5:
        return head("POST", "/test/length", f"Content-Length: {len(body)}") + body, len(body)
    size = draw.choice([1, 7, 1000])
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    top = head("POST", "/test/length", "Transfer-Encoding: chunked")
    return top + chunks + b"0\r\n\r\n", len(body)


@pytest.mark.parametrize("seed", range(4))
def test_pipelined_requests_are_all_answered_in_their_order(server, seed):
    draw = random.Random(seed)
    made = [pipelined(draw) for _ in range(200)]
    sent = b"".join(request for request, _ in made)
    edges = sorted(draw.randrange(len(sent)) for _ in range(draw.choice([0, 3, 60])))
    with connection(server) as sock:
        sender = Thread(
            target=lambda: [
                sock.sendall(sent[begin:end])
                for begin, end in itertools.pairwise([0, *edges, len(sent)])
            ]
        )
        sender.start()
        received = b""
        while received.count(b'{"length":') < len(made):
            received += sock.recv(65536)
        sender.join()
    found = [int(one) for one in re.findall(rb'{"length":(\d+)}', received)]
    assert found == [length for _, length in made]


def test_thousands_of_waiting_requests_cost_no_more_than_their_bytes(server):
    """Each parsed request would hold 2 kB: 100 MB."""
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    request = b"GET /test/patient?seconds=1 HTTP/1.1\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(40):
            sock = stack.enter_context(connection(server))
            sock.sendall(request * (64_000 // len(request)))
        assert httpx.get(server.url + "/livez").status_code == 200
        time.sleep(0.3)
        assert process.memory_info().rss - before < 25e6
