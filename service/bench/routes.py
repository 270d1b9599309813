"""What is measured: six routes of the service, and what the peer does in their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from service.bench.connection import Answer, Connection, Endpoint
from service.bench.load import MakeRequest
from service.bench.photos import different, variant

PAGE = 60
"""Thumbnails of a page."""

BUDGET_BYTES = 64


class RefusedError(Exception):
    """The server did not take what the measurement needs; the message says what came back."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is ready to be measured, and the request of each route by its name."""

    name: str
    endpoint: Endpoint
    requests: dict[str, MakeRequest]
    about: str = ""


def _fresh(photos: list[bytes], first_number: int) -> Callable[[], bytes]:
    """Files that no server knows, of all photos in turn."""
    numbers = count(first_number)

    def make() -> bytes:
        number = next(numbers)
        return variant(photos[number % len(photos)], number)

    return make


async def prepare_service(
    url: str, photo: bytes, *, token: str = "", first_number: int = 0
) -> Target:
    """Put a page of photos in. Photos are numbered from ``first_number``.

    Raises RefusedError, OSError, ValueError (a URL that is none).
    """
    endpoint = Endpoint.of(url)
    photos = different(photo, PAGE)
    fresh = _fresh(photos, first_number)
    headers = (f"Authorization: Bearer {token}",) if token else ()

    def post(path: str, body: bytes) -> bytes:
        return endpoint.request("POST", path, body, headers)

    async with Connection(endpoint, keep=True) as connection:

        async def need(request: bytes) -> Answer:
            return _good(await connection.ask(request), url)

        about = (await need(endpoint.request("GET", "/v1/codecs"))).body.decode()
        answers = [await need(post("/v1/images", fresh())) for _ in range(PAGE)]
        ids = [json.loads(answer.body)["id"] for answer in answers]
        encode = [post(f"/v1/encode?bytes={BUDGET_BYTES}", one) for one in photos]
        decode = [post("/v1/decode", (await need(request)).body) for request in encode]
    pxl = [endpoint.request("GET", f"/v1/images/{id}/thumb.pxl?bytes={BUDGET_BYTES}") for id in ids]
    webp = [
        endpoint.request("GET", f"/v1/images/{id}/thumb.webp?bytes={BUDGET_BYTES}") for id in ids
    ]
    page = endpoint.request("GET", f"/v1/thumbs?ids={','.join(ids)}&bytes={BUDGET_BYTES}")
    requests: dict[str, MakeRequest] = {
        "upload": lambda _: post("/v1/images", fresh()),
        "thumb.pxl": lambda n: pxl[n % PAGE],
        "thumb.webp": lambda n: webp[n % PAGE],
        "thumbs": lambda _: page,
        "encode": lambda n: encode[n % PAGE],
        "decode": lambda n: decode[n % PAGE],
    }
    return Target("prefixel", endpoint, requests, about)


async def prepare_peer(url: str, photo: bytes) -> Target:
    """The same for the peer; both thumbnails of ours stand beside its one. Raises as above."""
    endpoint = Endpoint.of(url)
    photos = different(photo, PAGE)
    fresh = _fresh(photos, 0)
    async with Connection(endpoint, keep=True) as connection:
        ids = []
        for _ in range(PAGE):
            answer = _good(await connection.ask(endpoint.request("POST", "/images", fresh())), url)
            ids.append(json.loads(answer.body)["id"])
        encode = [endpoint.request("POST", "/encode", one) for one in photos]
        small = [_good(await connection.ask(request), url).body for request in encode]
    reads = [endpoint.request("GET", f"/images/{id}/thumb.webp") for id in ids]
    page = endpoint.request("GET", f"/thumbs?ids={','.join(ids)}")
    decode = [endpoint.request("POST", "/decode", one) for one in small]
    requests: dict[str, MakeRequest] = {
        "upload": lambda _: endpoint.request("POST", "/images", fresh()),
        "thumb.pxl": lambda n: reads[n % PAGE],
        "thumb.webp": lambda n: reads[n % PAGE],
        "thumbs": lambda _: page,
        "encode": lambda n: encode[n % PAGE],
        "decode": lambda n: decode[n % PAGE],
    }
    about = f"thumbnails of {sum(map(len, small)) / PAGE:.0f} bytes"
    return Target("pillow-webp", endpoint, requests, about)


def _good(answer: Answer, url: str) -> Answer:
    if answer.status >= 400:
        raise RefusedError(f"{url} answers {answer.status}: {answer.body[:300].decode('latin-1')}")
    return answer
