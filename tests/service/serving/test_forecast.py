"""Photos that would be encoded too late are refused before they are read."""

from __future__ import annotations

import asyncio
import io
import time

import httpx
import pytest
from PIL import Image

from service.codec.geometry import Size
from service.errors import QueueFullError
from service.serving.forecast import SHARE, Forecast
from tests.support.codec import RawPhotoCodec
from tests.support.photos import mosaic
from tests.support.server import running_service

pytestmark = pytest.mark.anyio
SIDE = 1000


def forecast(seconds_each: float, deadline: float = 10.0) -> Forecast:
    codec = RawPhotoCodec()
    largest = codec.cost(Size(SIDE, SIDE))
    return Forecast(codec, lambda cost: seconds_each * cost / largest, SIDE, deadline)


def test_as_many_are_taken_as_end_in_time():
    found = forecast(seconds_each=2.0)
    held = [found.expected(None) for _ in range(3)]
    for one in held:
        one.__enter__()
    with pytest.raises(QueueFullError, match="in work already"), found.expected(None):
        pass
    held.pop().__exit__(None, None, None)
    with found.expected(None):
        pass
    assert 3 * 2.0 <= SHARE * 10 < 4 * 2.0


def test_small_bodies_hold_small_photos():
    found = forecast(seconds_each=2.0)
    with found.expected(None), found.expected(None):
        for _ in range(20):
            with found.expected(10_000):
                pass
        with pytest.raises(QueueFullError), found.expected(SIDE * SIDE), found.expected(None):
            pass


def test_one_alone_is_always_taken_and_nothing_is_known_at_first():
    with forecast(seconds_each=60.0).expected(None):
        pass
    unknown = Forecast(RawPhotoCodec(), lambda _: 0.0, SIDE, 10.0)
    with unknown.expected(None), unknown.expected(None):
        pass


async def test_a_flood_of_photos_is_refused_at_once_and_what_is_taken_is_in_time():
    """Encoding takes a second: of twelve at once some are taken, the others are not read."""
    body = io.BytesIO()
    Image.fromarray(mosaic(700)).save(body, "PNG", compress_level=0)
    with running_service(
        TEST_PHOTO_DELAY_SECONDS=1, PREFIXEL_DEADLINE_SECONDS=5, PREFIXEL_PHOTO_SIDE=700
    ) as server:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
            path = "/v1/images?codecs=raw-photo"
            assert (await client.post(path, content=body.getvalue())).status_code == 201

            async def one(number: int) -> tuple[int, float]:
                began = time.perf_counter()
                answer = await client.post(path, content=body.getvalue() + bytes([number]))
                return answer.status_code, time.perf_counter() - began

            seen = await asyncio.gather(*(one(number) for number in range(12)))
    codes = [status for status, _ in seen]
    assert set(codes) == {201, 503}
    assert max(seconds for status, seconds in seen if status == 201) < 5
