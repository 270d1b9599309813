"""Rasters are admitted by what they cost: a header of ten bytes buys no work beyond the bound."""

from __future__ import annotations

import asyncio
import struct
import time

import httpx
import psutil
import pytest

from service.codec.header import pack_header
from service.errors import QueueFullError
from service.inference.work_limit import Work, WorkLimit
from tests.support.codec import RawPhotoCodec
from tests.support.photos import encoded
from tests.support.server import running_service

CONNECTIONS = 64
SIDE = 640
MEMORY_BYTES = 2**28


def header_of_a_photo(width: int, height: int) -> bytes:
    """Six bytes that promise so many pixels."""
    codec = RawPhotoCodec()
    return pack_header(codec.wire_id, codec.version, width / height) + struct.pack(
        "<HH", width, height
    )


def test_what_is_under_way_is_bounded_in_cost_and_in_memory():
    limit = WorkLimit(10, 1000)
    with limit.admitted(Work(6, 100)):
        for cost, memory_bytes in ((5, 1), (1, 901)):
            with pytest.raises(QueueFullError), limit.admitted(Work(cost, memory_bytes)):
                pass
        one_more = limit.admitted(Work(1, 0))
        with limit.admitted(Work(4, 900)), pytest.raises(QueueFullError), one_more:
            pass
        with limit.admitted(Work(4, 900)):
            pass


def test_what_decoding_takes_counts_once_a_codec_since_one_is_decoded_after_the_other():
    limit = WorkLimit(10, 1000)
    with limit.admitted(Work(1, 100, 500, "a")), limit.admitted(Work(1, 100, 700, "a")):
        with limit.admitted(Work(1, 50, 600, "a")):
            pass
        for more in (Work(1, 101), Work(1, 0, 801, "a"), Work(1, 0, 101, "b")):
            with pytest.raises(QueueFullError), limit.admitted(more):
                pass


def test_what_comes_alone_is_admitted_whatever_it_costs():
    limit = WorkLimit(10, 1000)
    for _ in range(2):
        alone, more = limit.admitted(Work(11, 1001)), limit.admitted(Work(1, 1))
        with alone, pytest.raises(QueueFullError), more:
            pass


@pytest.fixture(scope="module")
def service():
    with running_service(
        PREFIXEL_RASTER_SECONDS=1, PREFIXEL_RASTER_MEMORY_BYTES=MEMORY_BYTES // 4
    ) as started:
        yield started


async def _flood(url: str) -> tuple[list[int], float]:
    """Statuses of photos that are all asked for at once, and the longest wait of a stream."""
    body = header_of_a_photo(SIDE, SIDE)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        document = (await client.post("/v1/images", content=encoded("jpeg"))).json()
        thumb = f"/v1/images/{document['id']}/thumb.pxl?bytes=64"
        done = asyncio.Event()

        async def victim() -> float:
            longest = 0.0
            while not done.is_set():
                began = time.perf_counter()
                assert (await client.get(thumb)).status_code == 200
                longest = max(longest, time.perf_counter() - began)
                await asyncio.sleep(0.01)
            return longest

        async def attacker(n: int) -> int:
            # each asks for another picture, so that none is made for two
            size = 4096 - n
            answer = await client.post(f"/v1/decode?format=jpg&size={size}", content=body)
            if answer.status_code == 503:
                assert answer.json()["type"] == "urn:prefixel:problem:queue-full"
                assert answer.headers["retry-after"]
            return answer.status_code

        watched = asyncio.ensure_future(victim())
        statuses = await asyncio.gather(*map(attacker, range(CONNECTIONS)))
        done.set()
        return statuses, await watched


def test_headers_that_ask_for_sixteen_megapixels_do_not_buy_them_all(service):
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    statuses, longest = asyncio.run(_flood(service.url))
    assert set(statuses) <= {200, 503}
    assert 1 <= statuses.count(503) < CONNECTIONS
    assert statuses.count(200) <= CONNECTIONS // 4
    assert longest < 5  # a stalled loop would keep it until the end
    assert process.memory_info().rss - before < 2 * MEMORY_BYTES


def test_a_header_of_more_than_a_photo_may_have_is_refused(service):
    for width, height in ((4097, 4096), (16383, 1025), (0, 5)):
        body = header_of_a_photo(max(width, 1), height)[:2] + struct.pack("<HH", width, height)
        answer = httpx.post(f"{service.url}/v1/decode", content=body)
        assert answer.status_code == 422
