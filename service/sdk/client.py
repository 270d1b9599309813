"""A client of a service, for threads (``Client``) and for event loops (``AsyncClient``).

Both ask the same requests. What is refused for now (429, 503) is asked again after its
``Retry-After``, a few times; everything else that is no success is a ``ServiceError``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from service.codec.container import State, unpack
from service.sdk.streams import Photo, read

TRIES = 5
LONGEST_WAIT_SECONDS = 30.0
TIMEOUT_SECONDS = 60.0
LATER = (429, 503)


class ServiceError(Exception):
    """The service answered with an error; ``problem`` is its document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail') or problem.get('title') or 'refused'}")
        self.status, self.problem = status, problem


class _Requests:
    """What is asked, and what the answers mean; nothing is sent here."""

    def __init__(self, url: str, token: str = "") -> None:
        """``url`` is the service's, ``token`` one of its upload tokens."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._options: dict[str, Any] = {
            "base_url": url,
            "headers": headers,
            "timeout": TIMEOUT_SECONDS,
            "follow_redirects": True,
        }

    @staticmethod
    def _upload(photo: Photo, codecs: Sequence[str]) -> dict[str, Any]:
        parameters = {"codecs": ",".join(codecs)} if codecs else {}
        return {
            "method": "POST",
            "url": "/v1/images",
            "content": read(photo),
            "params": parameters,
        }

    @staticmethod
    def _stream(kind: str, id: str, **asked: Any) -> dict[str, Any]:
        given = {name: value for name, value in asked.items() if value is not None}
        return {"method": "GET", "url": f"/v1/images/{id}/{kind}.pxl", "params": given}

    @staticmethod
    def _thumbs(ids: Sequence[str], bytes: int) -> dict[str, Any]:
        # commas as they are: the one spelling that is served
        return {"method": "GET", "url": f"/v1/thumbs?ids={','.join(ids)}&bytes={bytes}"}

    @staticmethod
    def _wait(answer: httpx.Response, tries: int) -> float | None:
        """Seconds until it is worth asking again; None when it is not."""
        if answer.status_code not in LATER or tries >= TRIES:
            return None
        try:
            told = float(answer.headers.get("retry-after", 1))
        except ValueError:  # a date: nobody here sends one
            told = 1.0
        return min(told, LONGEST_WAIT_SECONDS)

    @staticmethod
    def _good(answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        raise ServiceError(answer.status_code, problem if isinstance(problem, dict) else {})


class Client(_Requests):
    """A context manager; ``close`` ends its connections. Each call raises ServiceError, and
    httpx.HTTPError where no answer comes.
    """

    def __init__(self, url: str, token: str = "") -> None:
        """``url`` is the service's, ``token`` one of its upload tokens."""
        super().__init__(url, token)
        self._http = httpx.Client(**self._options)

    def upload(self, photo: Photo, codecs: Sequence[str] = ()) -> dict[str, Any]:
        """What is known of a photo from now on: its id, streams, levels."""
        found: dict[str, Any] = self._ask(self._upload(photo, codecs)).json()
        return found

    def thumb(self, id: str, *, bytes: int | None = None, codec: str | None = None) -> bytes:
        """The thumbnail's stream, or its prefix."""
        return self._ask(self._stream("thumb", id, bytes=bytes, codec=codec)).content

    def photo(self, id: str, *, bytes: int | None = None, bpp: float | None = None) -> bytes:
        """The photo's stream, or its prefix."""
        return self._ask(self._stream("photo", id, bytes=bytes, bpp=bpp)).content

    def thumbs(self, ids: Sequence[str], bytes: int) -> list[bytes | None]:
        """Prefixes of many thumbnails, in the order of ``ids``; None where there is none."""
        return _prefixes(self._ask(self._thumbs(ids, bytes)).content)

    def _ask(self, request: dict[str, Any]) -> httpx.Response:
        for tries in range(1, TRIES + 1):
            answer = self._http.request(**request)
            wait = self._wait(answer, tries)
            if wait is None:
                break
            time.sleep(wait)
        return self._good(answer)

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(_Requests):
    """As ``Client``, to be awaited."""

    def __init__(self, url: str, token: str = "") -> None:
        """``url`` is the service's, ``token`` one of its upload tokens."""
        super().__init__(url, token)
        self._http = httpx.AsyncClient(**self._options)

    async def upload(self, photo: Photo, codecs: Sequence[str] = ()) -> dict[str, Any]:
        """What is known of a photo from now on: its id, streams, levels."""
        request = await asyncio.to_thread(self._upload, photo, codecs)
        found: dict[str, Any] = (await self._ask(request)).json()
        return found

    async def thumb(self, id: str, *, bytes: int | None = None, codec: str | None = None) -> bytes:
        """The thumbnail's stream, or its prefix."""
        return (await self._ask(self._stream("thumb", id, bytes=bytes, codec=codec))).content

    async def photo(self, id: str, *, bytes: int | None = None, bpp: float | None = None) -> bytes:
        """The photo's stream, or its prefix."""
        return (await self._ask(self._stream("photo", id, bytes=bytes, bpp=bpp))).content

    async def thumbs(self, ids: Sequence[str], bytes: int) -> list[bytes | None]:
        """Prefixes of many thumbnails, in the order of ``ids``; None where there is none."""
        return _prefixes((await self._ask(self._thumbs(ids, bytes))).content)

    async def _ask(self, request: dict[str, Any]) -> httpx.Response:
        for tries in range(1, TRIES + 1):
            answer = await self._http.request(**request)
            wait = self._wait(answer, tries)
            if wait is None:
                break
            await asyncio.sleep(wait)
        return self._good(answer)

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _prefixes(container: bytes) -> list[bytes | None]:
    return [entry.data if entry.state is State.OK else None for entry in unpack(container)]
