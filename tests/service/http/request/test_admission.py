"""Who may send a body, and how much: decided from the headers, before the body is read."""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.support.photos import encoded
from tests.support.raw import connection, head, read_answer
from tests.support.server import eventually, running_service

TOKENS = {"PREFIXEL_UPLOAD_TOKENS": "first-token, second-token", "PREFIXEL_DELETE_TOKENS": "del"}


@pytest.fixture(scope="module")
def guarded():
    with running_service(**TOKENS) as server:
        yield server


@pytest.mark.parametrize(
    "value",
    [None, "", "Bearer", "Bearer wrong", "Basic second-token", "second-token", "Bearer del"],
)
def test_an_upload_without_a_token_that_holds_is_401_and_says_which_scheme(guarded, value):
    headers = {} if value is None else {"Authorization": value}
    answer = httpx.post(guarded.url + "/test/length", content=b"abc", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:prefixel:problem:unauthorized"


@pytest.mark.parametrize(
    "value", ["Bearer first-token", "bearer second-token", "Bearer  first-token"]
)
def test_any_of_several_upload_tokens_holds_so_that_they_can_rotate(guarded, value):
    answer = httpx.post(
        guarded.url + "/test/length", content=b"abc", headers={"Authorization": value}
    )
    assert answer.json() == {"length": 3}


def test_401_comes_before_the_body_is_asked_for(guarded):
    with connection(guarded) as sock:
        sock.sendall(head("POST", "/test/length", "Content-Length: 9", "Expect: 100-continue"))
        assert read_answer(sock)[0] == 401


def test_delete_needs_a_delete_token_and_an_upload_token_is_none(guarded):
    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.delete(guarded.url + "/test/thing", headers=headers).status_code

    assert (status("first-token"), status("wrong"), status("del")) == (401, 401, 204)


def test_a_length_over_the_limit_is_413_before_any_of_the_body_comes():
    with running_service(PREFIXEL_BODY_LIMIT_BYTES=1000) as server, connection(server) as sock:
        sock.sendall(head("POST", "/test/length", "Content-Length: 1001"))
        status, headers, body = read_answer(sock)
        assert status == 413
        assert headers["cache-control"] == "no-store"
        assert b"at most 1000 bytes" in body


def test_a_body_of_unknown_length_is_413_once_the_count_is_over_the_limit():
    with running_service(PREFIXEL_BODY_LIMIT_BYTES=1000) as server:
        with connection(server) as sock:
            sock.sendall(head("POST", "/test/length", "Transfer-Encoding: chunked"))
            sock.sendall(b"3e9\r\n" + b"x" * 1001 + b"\r\n")  # and the body goes on
            assert read_answer(sock)[0] == 413
        exact = httpx.post(server.url + "/test/length", content=iter([b"x" * 500] * 2))
        assert exact.json() == {"length": 1000}


def test_too_many_uploads_are_503_at_once_and_the_place_is_given_back():
    with running_service(PREFIXEL_UPLOADS_LIMIT=1) as server:
        with connection(server) as slow:
            slow.sendall(head("POST", "/test/length", "Content-Length: 3") + b"a")
            eventually(lambda: _refused(server.url))
            with connection(server) as second:
                second.sendall(head("POST", "/test/length", "Content-Length: 3"))
                status, headers, _ = read_answer(second)
                assert (status, headers["retry-after"]) == (503, "1")
            slow.sendall(b"bc")
            assert read_answer(slow)[0] == 200
        assert httpx.post(server.url + "/test/length", content=b"abc").status_code == 200


def test_bodies_of_routes_without_a_token_keep_no_upload_out():
    limits = {"PREFIXEL_UPLOADS_LIMIT": 1, "PREFIXEL_PUBLIC_BODIES_LIMIT": 2}
    with running_service(**TOKENS, **limits) as server, ExitStack() as stack:
        for path in ("/v1/decode", "/v1/thumbs"):
            slow = stack.enter_context(connection(server))
            slow.sendall(head("POST", path, "Content-Length: 9") + b"a")
        eventually(lambda: httpx.post(server.url + "/v1/decode", content=b"a").status_code == 503)
        headers = {"Authorization": "Bearer first-token"}
        answer = httpx.post(server.url + "/test/length", content=b"abc", headers=headers)
        assert answer.json() == {"length": 3}


def test_one_client_has_a_share_of_the_places_and_the_forwarded_address_says_who_it_is():
    environment = {"PREFIXEL_UPLOADS_LIMIT": 4, "PREFIXEL_TRUSTED_PROXIES": "127.0.0.0/8"}
    with running_service(**environment) as server, connection(server) as slow:
        greedy = "X-Forwarded-For: 8.8.8.8"
        slow.sendall(head("POST", "/test/length", greedy, "Content-Length: 3") + b"a")

        def status(client: str) -> int:
            headers = {"X-Forwarded-For": client}
            answer = httpx.post(server.url + "/test/length", content=b"abc", headers=headers)
            assert answer.is_success or answer.headers["retry-after"] == "1"
            return answer.status_code

        eventually(lambda: status("8.8.8.8") == 429)
        assert status("8.8.4.4") == 200
        slow.sendall(b"bc")
        assert read_answer(slow)[0] == 200
        assert status("8.8.8.8") == 200


def _refused(url: str) -> bool:
    return httpx.post(url + "/test/length", content=b"abc").status_code == 503


def test_bodies_in_work_hold_bounded_memory():
    with running_service(PREFIXEL_BODY_MEMORY_BYTES=2**20) as server:
        answer = httpx.post(server.url + "/test/length", content=bytes(2**20 + 1))
        assert answer.status_code == 503
        for _ in range(3):
            assert httpx.post(server.url + "/test/length", content=bytes(2**20)).is_success


def counted(url: str, name: str) -> float:
    """A metric, the sum over its labels."""
    found = re.findall(
        rf"^prefixel_{name}(?:{{.*}})? (.*)$", httpx.get(url + "/metrics").text, re.M
    )
    return sum(map(float, found))


def test_a_full_queue_is_503_with_retry_after_at_once_while_health_stays_green(tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    limits = {"PREFIXEL_QUEUE_LIMIT": 1, "PREFIXEL_MAX_BATCH": 1, "TEST_CODEC_GATE": gate}
    photo = encoded("jpeg")
    with running_service(**limits) as server, ThreadPoolExecutor(12) as pool:

        def upload(_: int) -> tuple[int, str | None]:
            answer = httpx.post(server.url + "/test/encode", content=photo, timeout=30)
            return answer.status_code, answer.headers.get("retry-after")

        inside: list[Future[tuple[int, str | None]]] = []

        def is_full() -> bool:
            """One works and one waits; one that came before the first was taken comes again."""
            inside[:] = [one for one in inside if not one.done()]
            if len(inside) < 2:
                inside.append(pool.submit(upload, len(inside)))
            return len(inside) == 2 and counted(server.url, "queue_depth") == 1

        try:
            eventually(is_full, 10)
            before = counted(server.url, "rejected_total")
            assert set(pool.map(upload, range(8))) == {(503, "1")}
            assert httpx.get(server.url + "/livez").status_code == 200
            assert httpx.get(server.url + "/readyz").status_code == 200
            with connection(server) as sock:
                sock.sendall(head("POST", "/test/encode", "Content-Length: 1000"))  # and no body
                assert read_answer(sock)[0] == 503
            assert counted(server.url, "rejected_total") == before + 9
        finally:
            gate.unlink()
        assert [one.result()[0] for one in inside] == [200, 200]
