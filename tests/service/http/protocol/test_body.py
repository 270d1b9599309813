"""A body is the same however it is cut, bounded in time, and never more than a BodyError."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BodyError, ParameterError
from service.http.protocol import body
from service.http.protocol.form import Form
from tests.support.app import running_app
from tests.support.raw import connection, head, is_closed, read_answer
from tests.support.server import eventually, running_service

BOUNDARY = b"----boundary"


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """A multipart body of (name, value) parts."""
    out = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="p"\r\n\r\n%s\r\n'
        % (BOUNDARY, name, value)
        for name, value in parts
    )
    return out + b"--" + BOUNDARY + b"--\r\n"


def feed(body: bytes, cuts: list[int]) -> bytes:
    """What the form gives when its body comes in these pieces."""
    made = Form(BOUNDARY)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for begin, end in itertools.pairwise(edges):
        made.feed(body[begin:end])
    return b"".join(made.result())


@given(st.binary(max_size=300), st.lists(st.integers(0, 600), max_size=8))
def test_the_file_is_the_same_however_the_body_is_cut(value, cuts):
    assert feed(form((b"other", b"1"), (b"file", value), (b"more", b"2")), cuts) == value


@given(st.data())
def test_no_mutated_form_raises_anything_but_what_is_told_to_the_client(data):
    body = bytearray(form((b"file", b"abc"), (b"x", b"y")))
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BodyError, ParameterError):
        feed(
            bytes(body[: data.draw(st.integers(0, len(body)))]),
            data.draw(st.lists(st.integers(0, 200), max_size=4)),
        )


def test_a_form_without_the_field_or_with_two_is_refused_by_name():
    for parts in ([(b"picture", b"x")], [(b"file", b"x"), (b"file", b"y")]):
        with pytest.raises(ParameterError) as refused:
            feed(form(*parts), [])
        assert refused.value.members["parameter"] == "file"


def test_a_part_with_endless_headers_is_refused():
    for headers in (b"X: " + b"a" * 9000, b"X: a\r\n" * 20):
        with pytest.raises(BodyError):
            feed(b"--" + BOUNDARY + b"\r\n" + headers, [])


@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"This is a form.\r\n", b"--\r\n--x\r\n" * 50])
@pytest.mark.parametrize("padding", [b"", b" ", b"\t  "])
@pytest.mark.parametrize("epilogue", [b"", b"\r\n", b"and so on\r\n--" + BOUNDARY])
def test_preamble_white_space_after_a_boundary_and_epilogue_are_ignored(
    preamble, padding, epilogue
):
    """RFC 2046 5.1.1; and headers may be absent."""
    line = b"--" + BOUNDARY
    body = form((b"file", b"abc")).replace(line + b"\r\n", line + padding + b"\r\n")
    body = line + padding + b"\r\n\r\nno headers\r\n" + body
    for cut in range(0, len(preamble + body), 7):
        assert feed(preamble + body + epilogue, [cut]) == b"abc"


PART = b"\r\n--" + BOUNDARY + b"\r\n" + b"a:b\r\n" * 8 + b"\r\n"
HOSTILE = {
    "parts": PART,
    "boundaries that are none": b"\r\n--" + BOUNDARY + b"y\r\n\r\n",
    "white space": b" ",
    "headers": b"a:b\r\n",
    "semicolons": b";",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_dear_to_parse_is_refused_within_a_little_of_it(name):
    begin = {
        "white space": b"--" + BOUNDARY,
        "headers": b"--" + BOUNDARY + b"\r\n",
        "semicolons": b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data",
    }.get(name, b"")
    made = Form(BOUNDARY)
    with pytest.raises(BodyError):
        made.feed(begin + HOSTILE[name] * (10_000 // len(HOSTILE[name])) + b"\r\n\r\n")


def test_a_content_type_of_semicolons_is_refused(server):
    answer = httpx.post(
        server.url + "/test/length",
        content=b"x",
        headers={"Content-Type": "multipart/form-data; boundary=b" + ";" * 60_000},
    )
    assert answer.status_code == 400


@pytest.fixture(scope="module")
def server():
    with running_service(PREFIXEL_BODY_TIMEOUT_SECONDS=0.5) as started:
        yield started


def test_raw_and_multipart_bodies_both_arrive_whatever_curl_calls_them(server):
    url = server.url + "/test/length"
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}  # curl --data-binary
    assert httpx.post(url, content=b"abcd", headers=urlencoded).json() == {"length": 4}
    assert httpx.post(url, content=iter([b"ab", b"cd"])).json() == {"length": 4}
    files = {"file": ("photo.jpg", b"abcd"), "note": ("n", b"xyz")}
    assert httpx.post(url, files=files).json() == {"length": 4}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("image/jpeg", b""),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=" + "b" * 71, b"x"),
        ("multipart/form-data; boundary=b", b"nonsense"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"'),
    ],
)
def test_a_body_that_holds_no_upload_is_400(server, content_type, body):
    answer = httpx.post(
        server.url + "/test/length", content=body, headers={"Content-Type": content_type}
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_trickles_is_408_and_its_connection_ends(server):
    with connection(server) as sock:
        sock.sendall(head("POST", "/test/length", "Content-Length: 100"))
        begin = time.monotonic()
        sock.sendall(b"a")
        status, headers, body = read_answer(sock)
        assert status == 408
        assert headers["connection"] == "close"
        assert b"0.5 s" in body
        assert is_closed(sock)
        assert time.monotonic() - begin < 10


def test_a_body_keeps_up_a_rate_once_its_slow_start_is_over(monkeypatch):
    """Too slow, though every piece of it comes in time; a slow one that is quick enough passes."""
    monkeypatch.setattr(body, "SLOW_START_SECONDS", 0.1)
    with running_app(body_minimum_rate=100) as app:

        async def pieces(count: int):
            for _ in range(10):
                await asyncio.sleep(0.05)
                yield b"x" * count

        async def post(count: int) -> httpx.Response:
            return await app.http.post("/v1/decode", content=pieces(count))

        late, quick = app.run(post(1)), app.run(post(20))
    assert late.status_code == 408
    assert "slower than 100 bytes a second" in late.json()["detail"]
    assert late.headers["connection"] == "close"
    assert quick.status_code == 422


@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: deflate,chunked"],
    ],
)
def test_a_body_in_another_transfer_coding_than_chunked_is_501(server, lines):
    with connection(server) as sock:
        sock.sendall(head("POST", "/test/length", *lines) + b"1\r\na\r\n0\r\n\r\n")
        status, headers, problem = read_answer(sock)
        assert (status, headers["connection"]) == (501, "close")
        assert b"transfer-coding" in problem
        assert is_closed(sock)


def test_a_client_that_leaves_while_it_sends_is_499_in_the_log(server):
    with connection(server) as sock:
        sock.sendall(
            head("POST", "/test/length", "Content-Length: 100", "X-Request-ID: left") + b"a"
        )
    eventually(lambda: any(line["request_id"] == "left" for line in server.events("request")))
    (line,) = [line for line in server.events("request") if line["request_id"] == "left"]
    assert (line["status"], line["error"]) == (499, "client-gone")
