"""Uploads at the same time: work done once, for whoever still waits."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import httpx

from tests.support.app import CountingCodec, running_app
from tests.support.codec import GreyCodec
from tests.support.photos import crops, encoded
from tests.support.raw import connection, head, read_answer
from tests.support.server import eventually, running_service


def test_equal_uploads_at_the_same_time_are_made_once():
    with running_app((CountingCodec(delay_seconds=0.2),)) as app:
        photo = encoded("jpeg")

        async def all_at_once():
            posts = (app.http.post("/v1/images", content=photo) for _ in range(8))
            return await asyncio.gather(*posts)

        answers = app.run(all_at_once())
        assert {answer.status_code for answer in answers} <= {200, 201}
        assert len({answer.text for answer in answers}) == 1
        assert app.codec.encoded == [1]


@dataclass(frozen=True)
class HeldCodec(GreyCodec):
    """Encodes when it is let go."""

    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def encode(self, pictures, aspects, effort=None):
        self.begun.set()
        assert self.go.wait(10)
        return super().encode(pictures, aspects)


def test_whoever_came_second_gets_the_answer_when_the_first_client_leaves(monkeypatch):
    """The work is the flight's, not its first client's."""
    codec = HeldCodec()
    with running_app((codec,)) as app:
        photo = encoded("jpeg")

        async def race():
            first = asyncio.create_task(app.http.post("/v1/images", content=photo))
            await asyncio.to_thread(codec.begun.wait, 5)
            second = asyncio.create_task(app.http.post("/v1/images", content=photo))
            await asyncio.sleep(0.2)
            first.cancel()
            await asyncio.wait((first,))
            codec.go.set()
            return await second

        assert app.run(race()).status_code == 201


def test_a_deadline_is_its_own_requests_and_the_work_goes_on_for_whoever_joined():
    """The first is told 504 when its time is over; the second, who joined, gets the picture."""
    codec = HeldCodec()
    with running_app((codec,), deadline_seconds=1.5) as app:
        photo = encoded("jpeg")

        async def race():
            first = asyncio.create_task(app.http.post("/v1/images", content=photo))
            await asyncio.to_thread(codec.begun.wait, 5)
            await asyncio.sleep(0.7)
            second = asyncio.create_task(app.http.post("/v1/images", content=photo))
            late = await first
            codec.go.set()
            return late, await second

        late, served = app.run(race())
    assert (late.status_code, late.json()["type"]) == (504, "urn:prefixel:problem:deadline")
    assert served.status_code == 201


def test_a_photo_whose_client_has_left_is_dropped_before_it_is_encoded(tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    with running_service(PREFIXEL_MAX_BATCH=1, TEST_CODEC_GATE=gate) as server:
        photos = [encoded("jpeg", crop) for crop in crops(6)]
        requests = [
            head("POST", "/v1/images", f"Content-Length: {len(photo)}") + photo for photo in photos
        ]

        def metric(name):
            lines = httpx.get(server.url + "/metrics").text.splitlines()
            return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

        with connection(server) as first:
            first.sendall(requests[0])
            eventually(lambda: metric("prefixel_batch_dispatch_total{") == 1)
            for request in requests[1:]:
                with connection(server) as sock:
                    sock.sendall(request)
            eventually(lambda: metric("prefixel_client_gone_total ") == 5, 8)
            gate.unlink()
            assert read_answer(first)[0] == 201
        assert metric("prefixel_pictures_total{") == 1
