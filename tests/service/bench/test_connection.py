"""The bench's client reads answers as they are and says when it got none."""

from __future__ import annotations

import asyncio

import pytest

from service.bench.connection import Answer, Connection, Endpoint
from tests.service.bench.servers import OK, Handler, serving


def ask(answer: Handler, *, keep: bool = True, times: int = 1) -> list[Answer]:
    async def main() -> list[Answer]:
        async with serving(answer) as endpoint, Connection(endpoint, keep=keep) as connection:
            request = endpoint.request("GET", "/")
            return [await connection.ask(request) for _ in range(times)]

    return asyncio.run(main())


def replies(*parts: bytes) -> Handler:
    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.005)

    return answer


def test_an_answer_in_pieces_is_read_whole():
    [answer] = ask(replies(OK[:20], OK[20:-1], OK[-1:]))
    assert (answer.status, answer.length, answer.body) == (200, 2, b"ok")
    assert answer.headers == {"content-length": "2"}


def test_a_chunked_answer_is_counted_without_its_frame():
    head = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
    [answer] = ask(replies(head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"))
    assert (answer.status, answer.length, answer.body) == (503, 5, b"abcde")


def test_without_keep_only_status_and_length_are_kept():
    [answer] = ask(replies(OK), keep=False)
    assert (answer.status, answer.length, answer.headers, answer.body) == (200, 2, {}, b"")


def test_one_connection_serves_many_requests():
    seen: set[object] = set()

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        seen.add(writer.get_extra_info("peername"))
        writer.write(OK)

    assert [one.status for one in ask(answer, times=3)] == [200] * 3
    assert len(seen) == 1


def test_after_connection_close_the_next_request_opens_another():
    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        writer.close()

    assert [one.status for one in ask(answer, times=3)] == [200] * 3


@pytest.mark.parametrize("part", [b"", OK[:30], b"no http at all\r\n\r\n"])
def test_a_broken_answer_is_a_connection_error(part):
    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        await writer.drain()
        writer.close()

    with pytest.raises(ConnectionError):
        ask(answer)


def test_a_request_is_whole():
    request = Endpoint.of("http://[::1]:81/root/").request("POST", "/x", b"body", ("A: b",))
    assert (
        request
        == b"POST /root/x HTTP/1.1\r\nHost: [::1]:81\r\nA: b\r\nContent-Length: 4\r\n\r\nbody"
    )


@pytest.mark.parametrize("url", ["https://x", "x:8000", "http://", "http://x/?a=1", "http://x:y"])
def test_what_is_no_url_of_a_service_is_refused(url):
    with pytest.raises(ValueError):
        Endpoint.of(url)
