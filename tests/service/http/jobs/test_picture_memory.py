"""A picture's memory is counted from its decoding until it is encoded, however that ends."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from service.pictures import Opener
from tests.support.app import running_app
from tests.support.codec import POISON, GreyCodec
from tests.support.photos import crops, encoded
from tests.support.server import eventually

PIXELS_BYTES = 32 * 32 * 3
ROUTES = ("/v1/images", "/v1/encode")


@dataclass(frozen=True)
class WatchingCodec(GreyCodec):
    """Notes what is free while it encodes."""

    free: list[int] = field(default_factory=list)
    look: list[Opener] = field(default_factory=list)

    def encode(self, pictures, aspects, effort=None):
        self.free.append(self.look[0].memory.free_bytes)
        return super().encode(pictures, aspects)


def total(app) -> int:
    return app.services.settings.decode_memory_bytes


@pytest.mark.parametrize("route", ROUTES)
def test_it_is_held_while_it_is_encoded_and_no_longer(route):
    codec = WatchingCodec()
    with running_app((codec,)) as app:
        codec.look.append(app.services.opener)
        assert app.request("POST", route, content=encoded("jpeg")).is_success
        assert codec.free == [total(app) - PIXELS_BYTES]
        assert app.services.opener.memory.free_bytes == total(app)


@pytest.mark.parametrize("route", ROUTES)
def test_it_is_given_back_when_encoding_fails(route):
    with running_app((GreyCodec(poison=True),)) as app:
        flat = crops(1)[0].convert("RGB")
        flat.paste(POISON, (0, 0, *flat.size))
        answer = app.request("POST", route, content=encoded("png", flat))
        assert answer.status_code == 500
        assert app.services.opener.memory.free_bytes == total(app)


@pytest.mark.parametrize("route", ROUTES)
def test_it_is_given_back_when_the_time_is_over(route):
    with running_app((GreyCodec(delay_seconds=0.6),), deadline_seconds=0.3) as app:
        assert app.request("POST", route, content=encoded("jpeg")).status_code == 504
        assert app.services.opener.memory.free_bytes == total(app)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("leaves", [False, True])
def test_a_picture_that_is_open_too_late_is_given_back(monkeypatch, route, leaves):
    """Its deadline is over, or its client has left, while the thread is still opening it."""
    go, opened = threading.Event(), threading.Event()
    plain = Opener.open

    def late(opener, data, **options):
        picture = plain(opener, data, **options)
        opened.set()
        assert go.wait(10)
        return picture

    monkeypatch.setattr(Opener, "open", late)
    with running_app(deadline_seconds=60 if leaves else 0.3) as app:

        async def ask():
            post = asyncio.create_task(app.http.post(route, content=encoded("jpeg")))
            await asyncio.to_thread(opened.wait, 10)
            if leaves:
                post.cancel()
            await asyncio.wait((post,))
            return None if leaves else post.result().status_code

        assert app.run(ask()) in (None, 504)
        assert app.services.opener.memory.free_bytes == total(app) - PIXELS_BYTES
        go.set()
        eventually(lambda: app.services.opener.memory.free_bytes == total(app))
