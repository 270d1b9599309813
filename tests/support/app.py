"""The application in this process, for tests that look inside: at its store, its batchers.

with running_app() as app:
    app.request("POST", "/v1/images", content=photo)
    app.store.calls
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx

from service.app import create_app
from service.cache import Found, Key, MemoryStore, Part
from service.codec.interface import Codec
from service.errors import CacheUnavailableError
from service.serving.services import Services
from service.settings import Settings
from tests.support.codec import GreyCodec

T = TypeVar("T")


@dataclass
class WatchedStore:
    """A real memory store that notes each call, and fails while ``is_down``."""

    inner: MemoryStore = field(default_factory=lambda: MemoryStore(2**22))
    calls: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    is_down: bool = False
    name: str = "watched"

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.is_down:
            raise CacheUnavailableError("the test took it down")

    async def put(self, key: Key, stream: bytes, meta: bytes) -> bool:
        self._note("put")
        return await self.inner.put(key, stream, meta)

    async def note(self, key: Key, meta: bytes) -> None:
        self._note("note")
        await self.inner.note(key, meta)

    async def drop(self, key: Key, digest: bytes) -> None:
        self._note("drop")
        await self.inner.drop(key, digest)

    def report(self, cause: str) -> None:
        self.reported.append(cause)

    async def read(self, key: Key, start: int = 0, stop: int | None = None) -> Part | None:
        self._note(f"read {start} {stop}")
        return await self.inner.read(key, start, stop)

    async def meta(self, key: Key) -> bytes | None:
        self._note("meta")
        return await self.inner.meta(key)

    async def many(self, keys: Sequence[Key], n: int) -> list[Found]:
        self._note("many")
        return await self.inner.many(keys, n)

    async def delete(self, image_id: str) -> bool:
        self._note("delete")
        return await self.inner.delete(image_id)

    async def health(self) -> bool:
        return not self.is_down

    async def close(self) -> None:
        await self.inner.close()


@dataclass(frozen=True)
class CountingCodec(GreyCodec):
    """The tests' codec; notes how many pictures each call had."""

    encoded: list[int] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)
    decoded: list[int] = field(default_factory=list)

    def encode(self, pictures: Any, aspects: Sequence[float], effort: Any = None) -> Any:
        self.encoded.append(len(pictures))
        return super().encode(pictures, aspects)

    def measure(self, pictures: Any, streams: Sequence[bytes]) -> Any:
        self.measured.append(len(pictures))
        return super().measure(pictures, streams)

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> Any:
        self.decoded.append(len(prefixes))
        return super().decode(prefixes, size)


@dataclass(frozen=True)
class RunningApp:
    """An application and what it is made of; its event loop turns while a request is asked."""

    services: Services
    store: WatchedStore
    http: httpx.AsyncClient
    runner: asyncio.Runner

    @property
    def codec(self) -> Any:
        """The default codec."""
        return self.services.codecs[self.services.settings.default_codec]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something in the application's loop."""
        return self.runner.run(coroutine)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """One request."""
        return self.run(self.http.request(method, url, **options))

    def get(self, url: str, **headers: str) -> httpx.Response:
        """A GET; ``if_none_match="x"`` is the header If-None-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", url, headers=named)

    def upload(self, photo: bytes, query: str = "") -> Any:
        """The document of an upload that goes well."""
        answer = self.request("POST", f"/v1/images{query}", content=photo)
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def running_app(codecs: Sequence[Codec] = (), **settings: Any) -> Iterator[RunningApp]:
    """Started and stopped; a ``CountingCodec`` unless other codecs are given."""
    loaded = {codec.name: codec for codec in codecs or (CountingCodec(),)}
    app = create_app(Settings(**settings), codecs=loaded)
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        store = WatchedStore()
        app.state.services = replace(app.state.services, store=store)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
        try:
            yield RunningApp(app.state.services, store, client, runner)
        finally:
            runner.run(client.aclose())
            runner.run(lifespan.__aexit__(None, None, None))
