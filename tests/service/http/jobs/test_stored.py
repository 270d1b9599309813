"""What is kept is believed when it holds: damage is found, dropped and made anew."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from service.cache import Key, SqliteStore
from service.http.jobs import stored
from tests.support.app import CountingCodec, running_app
from tests.support.codec import DEFAULT, RawPhotoCodec
from tests.support.photos import crops, encoded

PHOTO = RawPhotoCodec().name


@pytest.fixture
def path(tmp_path):
    return tmp_path / "streams.db"


@pytest.fixture
def app(path):
    """On a file, so that a test can damage what is kept."""
    with running_app((CountingCodec(), RawPhotoCodec())) as started:
        started.store.inner = SqliteStore(path, 600, on_failure=lambda *_: None)
        yield started


def photo():
    return encoded("png", crops(1, size_range=(260, 300))[0])


def damage(path, codec):
    """Change the last byte of a stream that is kept."""
    connection = sqlite3.connect(path)
    with connection:
        [stream] = connection.execute(
            "SELECT stream FROM entries WHERE codec = ?", (codec,)
        ).fetchone()
        broken = stream[:-1] + bytes((stream[-1] ^ 1,))
        connection.execute("UPDATE entries SET stream = ? WHERE codec = ?", (broken, codec))
    connection.close()


@pytest.mark.parametrize("codec", [DEFAULT, PHOTO])
@pytest.mark.parametrize("found_by", ["upload", "read"])
def test_a_damaged_tail_is_found_and_made_anew(app, path, codec, found_by):
    image = app.upload(photo(), f"?codecs={DEFAULT},{PHOTO}")
    pxl = image["codecs"][codec]["urls"]["pxl"]
    whole = app.get(pxl).content
    damage(path, codec)
    assert app.get(f"{pxl}&bytes=64").content == whole[:64]
    if found_by == "read" and codec == DEFAULT:
        assert app.get(pxl).status_code == 404
    elif found_by == "read":
        with pytest.raises(AssertionError):  # of the client: it was on its way already, and is cut
            app.get(pxl)
        assert app.store.reported
        assert app.get(f"{pxl}&bytes=64").status_code == 404
    again = app.request("POST", f"/v1/images?codecs={DEFAULT},{PHOTO}", content=photo())
    assert (again.status_code, again.json()) == (201, image)
    assert app.get(pxl).content == whole


def test_a_stream_that_changes_while_it_is_checked_is_none_of_both(app, monkeypatch):
    image = app.upload(photo(), f"?codecs={PHOTO}")
    key, store = Key(image["id"], PHOTO), app.store
    read = store.inner.read

    async def changing(key, start=0, stop=None):
        if start:
            part = await read(key)
            await store.inner.drop(key, part.digest)
            await store.inner.put(key, part.data[::-1], b"")
        return await read(key, start, stop)

    monkeypatch.setattr(store.inner, "read", changing)
    assert app.run(stored.whole(store, key)) is None


def test_facts_that_are_lost_are_measured_again_and_the_stream_stays(app):
    """Of another encoder's stream: nothing is encoded, and its ``?v=`` holds."""
    image = app.upload(photo())
    key = Key(image["id"], DEFAULT)
    part = app.run(app.store.read(key))
    app.run(app.store.drop(key, part.digest))
    other = part.data[:100] + bytes(158)
    app.run(app.store.put(key, other, b"damaged"))
    answer = app.request("POST", "/v1/images", content=photo())
    entry = answer.json()["codecs"][DEFAULT]
    assert (answer.status_code, answer.json()["stored"]) == (201, True)
    assert app.get(entry["urls"]["pxl"]).content == other
    assert entry["levels"] == image["codecs"][DEFAULT]["levels"]
    assert app.codec.encoded == [1]


def test_a_photo_of_another_size_than_its_stream_is_not_measured(app):
    image = app.upload(photo(), f"?codecs={PHOTO}")
    key = Key(image["id"], PHOTO)
    part = app.run(app.store.read(key))
    app.run(app.store.drop(key, part.digest))
    [small] = RawPhotoCodec().encode([np.zeros((20, 40, 3), np.uint8)], [2.0])
    app.run(app.store.put(key, small.stream, b"damaged"))
    entry = app.upload(photo(), f"?codecs={PHOTO}")["codecs"][PHOTO]
    assert (entry["width"], entry["height"], entry["levels"]) == (40, 20, [])
    assert app.upload(photo(), f"?codecs={PHOTO}")["codecs"][PHOTO] == entry
