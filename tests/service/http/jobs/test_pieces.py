"""Long streams go out in pieces as they are read: whole, cut, ranged, left, replaced, damaged."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import sqlite3

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cache import Key, SqliteStore
from service.http.jobs.pieces import AT_ONCE_BYTES, PIECE_BYTES
from service.http.protocol.reply import Pieces, Reply
from tests.support.app import running_app
from tests.support.raw import head
from tests.support.server import eventually, running_service

ID = "a" * 26
LONG = random.Random(7).randbytes(800_000)
URL = f"/v1/images/{ID}/thumb.pxl?codec=long"


@pytest.fixture(scope="module")
def app():
    with running_app() as started:
        started.run(started.store.put(Key(ID, "long"), LONG, b""))
        yield started


@pytest.fixture(scope="module")
def store_path(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "streams.db"


@pytest.fixture(scope="module")
def server(store_path):
    with running_service(PREFIXEL_STORE_PATH=str(store_path)) as started:
        yield started


def put(path, stream=LONG, id=ID):
    async def work():
        store = SqliteStore(path, 600)
        await store.delete(id)
        await store.put(Key(id, "long"), stream, b"")
        await store.close()

    asyncio.run(work())


def test_a_long_stream_is_read_in_pieces_and_comes_whole(app):
    app.store.calls.clear()
    answer = app.get(URL)
    assert answer.content == LONG
    reads = [tuple(map(int, call.split()[1:])) for call in app.store.calls]
    assert reads[0] == (0, PIECE_BYTES)
    assert all(stop - start <= PIECE_BYTES for start, stop in reads)
    assert [start for start, _ in reads[1:]] == [stop for _, stop in reads[:-1]]
    assert answer.headers["content-length"] == str(len(LONG))
    assert "content-digest" not in answer.headers
    assert "repr-digest" in answer.headers


def test_others_have_their_turn_between_pieces_that_are_at_hand():
    sent, turns = [], []

    async def pieces():
        for _ in range(50):
            yield b"x"

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def another():
        while len(sent) < 100:
            turns.append(len(sent))
            await asyncio.sleep(0)

    async def both():
        reply = Reply(200, (), Pieces(50, pieces))
        await asyncio.gather(another(), reply.to({"method": "GET"}, receive, send))

    asyncio.run(both())
    assert max(later - earlier for earlier, later in itertools.pairwise(turns)) <= 4


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([2, AT_ONCE_BYTES - 1, AT_ONCE_BYTES, AT_ONCE_BYTES + 1])
    | st.integers(2, 1_000_000)
)
def test_a_prefix_of_any_length_is_one(app, budget):
    answer = app.get(f"{URL}&bytes={budget}")
    assert answer.content == LONG[:budget]
    digested = budget <= AT_ONCE_BYTES
    assert ("content-digest" in answer.headers) == digested
    assert answer.headers["etag"].endswith(f'-{min(budget, len(LONG))}"')


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 799_999), st.none() | st.integers(0, 900_000))
def test_any_range_of_it_reads_only_what_it_sends(app, first, count):
    app.store.calls.clear()
    last = "" if count is None else str(first + count)
    answer = app.get(URL, range=f"bytes={first}-{last}")
    assert answer.status_code == 206
    assert answer.content == LONG[first : None if count is None else first + count + 1]
    spans = [tuple(map(int, call.split()[1:])) for call in app.store.calls]
    assert sum(min(stop, len(LONG)) - start for start, stop in spans) == len(answer.content)


@pytest.mark.parametrize("count", [1, 4096, 100_000, 900_000])
def test_the_last_bytes_of_it_are_a_range_too(app, count):
    answer = app.get(URL, range=f"bytes=-{count}")
    assert (answer.status_code, answer.content) == (206, LONG[-count:])


def test_a_range_that_no_longer_holds_is_the_whole(app):
    answer = app.get(URL, range="bytes=0-99", if_range='"other"')
    assert (answer.status_code, answer.content) == (200, LONG)


def test_head_reads_none_of_it(app):
    app.store.calls.clear()
    answer = app.request("HEAD", URL)
    assert answer.headers["content-length"] == str(len(LONG))
    assert app.store.calls == ["read 0 0"]


def test_what_was_sent_is_counted_once_and_whole(app):
    def total():
        lines = app.get("/metrics").text.splitlines()
        return next(float(x.split()[1]) for x in lines if x.startswith("prefixel_sent_bytes_sum"))

    before = total()
    app.get(URL)
    app.request("HEAD", URL)
    app.get(URL, if_none_match="*")
    assert total() - before == len(LONG)


def test_a_client_that_leaves_ends_the_reading(server, store_path):
    put(store_path, LONG * 20)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(head("GET", URL))
        sock.recv(1000)
    eventually(lambda: any(one["error"] == "client-gone" for one in server.events("request")))
    (line,) = [one for one in server.events("request") if one["error"] == "client-gone"]
    assert line["sent_bytes"] < 20 * len(LONG)
    metrics = httpx.get(f"{server.url}/metrics").text
    assert "prefixel_client_gone_total 1.0" in metrics


def test_a_stream_that_is_replaced_on_its_way_is_cut_and_never_mixed(server, store_path):
    put(store_path, LONG * 20)
    with httpx.stream("GET", server.url + URL) as answer:
        pieces = answer.iter_raw(4096)
        taken = [next(pieces)]
        put(store_path, bytes(800_000))
        with pytest.raises(httpx.RemoteProtocolError):
            taken.extend(pieces)
    assert (LONG * 20).startswith(b"".join(taken))


def test_a_damaged_stream_never_ends_well(server, store_path):
    id = "b" * 26
    put(store_path, LONG, id)
    with sqlite3.connect(store_path) as connection:
        (rowid,) = connection.execute(
            "SELECT rowid FROM entries WHERE image_id = ?", (id,)
        ).fetchone()
        with connection.blobopen("entries", "stream", rowid) as blob:
            blob[799_990] = blob[799_990] ^ 1
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(server.url + URL.replace(ID, id))
