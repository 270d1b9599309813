"""A body is the same however it is cut, bounded in time, and never more than a BodyError."""

from __future__ import annotations

import contextlib
import itertools
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.exceptions import FormParserError

from service.errors import BodyError, ParameterError
from service.http.protocol.body import _Form
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
    made = _Form(BOUNDARY)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for begin, end in itertools.pairwise(edges):
        made.parser.write(body[begin:end])
    return made.result()


@given(st.binary(max_size=300), st.lists(st.integers(0, 600), max_size=8))
def test_the_file_is_the_same_however_the_body_is_cut(value, cuts):
    assert feed(form((b"other", b"1"), (b"file", value), (b"more", b"2")), cuts) == value


@given(st.data())
def test_no_mutated_form_raises_anything_but_what_is_told_to_the_client(data):
    body = bytearray(form((b"file", b"abc"), (b"x", b"y")))
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BodyError, ParameterError, FormParserError):
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
        with pytest.raises(FormParserError):
            feed(b"--" + BOUNDARY + b"\r\n" + headers, [])


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


def test_a_client_that_leaves_while_it_sends_is_499_in_the_log(server):
    with connection(server) as sock:
        sock.sendall(
            head("POST", "/test/length", "Content-Length: 100", "X-Request-ID: left") + b"a"
        )
    eventually(lambda: any(line["request_id"] == "left" for line in server.events("request")))
    (line,) = [line for line in server.events("request") if line["request_id"] == "left"]
    assert (line["status"], line["error"]) == (499, "client-gone")
