"""The client against a real service, and against one that refuses for a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from prefixel import AsyncClient, Client, ServiceError
from tests.support.codec import DEFAULT
from tests.support.photos import crops
from tests.support.server import running_service


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_service(PREFIXEL_UPLOAD_TOKENS="secret") as server:
        yield server.url


def test_a_photo_goes_up_and_its_streams_come_down(url: str) -> None:
    with Client(url, token="secret") as client:
        codecs = [DEFAULT, "raw-photo"]
        image = client.upload(crops(1, seed=5)[0], codecs)
        id = image["id"]
        assert client.upload(crops(1, seed=5)[0], codecs)["id"] == id
        whole = client.thumb(id)
        assert client.thumb(id, bytes=64) == whole[:64]
        photo = client.photo(id)
        assert client.photo(id, bytes=200) == photo[:200]
        assert client.thumbs([id, "a" * 26], 40) == [whole[:40], None]


def test_the_same_is_awaited(url: str) -> None:
    async def main() -> None:
        async with AsyncClient(url, token="secret") as client:
            image = await client.upload(crops(1, seed=6)[0], codecs=["raw-photo"])
            photo = await client.photo(image["id"])
            assert await client.photo(image["id"], bytes=100) == photo[:100]
            with pytest.raises(ServiceError) as refused:
                await client.thumb(image["id"])
            assert refused.value.status == 404
            assert await client.thumbs([image["id"]], 64) == [None]

    asyncio.run(main())


def test_an_error_is_the_services_own(url: str) -> None:
    with Client(url) as client, pytest.raises(ServiceError, match="401") as refused:
        client.upload(crops(1, seed=5)[0])
    assert refused.value.problem["type"] == "urn:prefixel:problem:unauthorized"


class Busy(BaseHTTPRequestHandler):
    """Refuses ``refusals`` times."""

    refusals = 0
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        is_refused = len(self.asked) <= self.refusals
        self.send_response(503 if is_refused else 200)
        if is_refused:
            self.send_header("Retry-After", "0")
        body = b"{}" if is_refused else b"stream"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[tuple[type[Busy], str]]:
    handler = type("Handler", (Busy,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_refused_for_now_is_asked_again(busy: tuple[type[Busy], str]) -> None:
    handler, url = busy
    handler.refusals = 3
    with Client(url) as client:
        assert client.thumb("a" * 26, bytes=64) == b"stream"
    assert len(handler.asked) == 4

    async def main() -> bytes:
        async with AsyncClient(url) as client:
            return await client.thumb("a" * 26)

    assert asyncio.run(main()) == b"stream"
    handler.refusals = 1000
    with Client(url) as client, pytest.raises(ServiceError, match="503"):
        client.thumb("a" * 26)
    assert len(handler.asked) == 4 + 1 + 5
