"""Streams of any length through every resource: what is bounded, what a budget reaches."""

from __future__ import annotations

import base64

import pytest

from service.errors import ConfigurationError
from service.http.protocol.queries import BYTES
from service.http.resources.thumbs import CONTAINER_BYTES
from tests.support.app import CountingCodec, running_app
from tests.support.codec import RawPhotoCodec
from tests.support.photos import encoded

INLINE_BYTES = 1000


@pytest.fixture(scope="module")
def app():
    codecs = (CountingCodec(), RawPhotoCodec())
    with running_app(codecs, inline_limit_bytes=INLINE_BYTES) as started:
        yield started


@pytest.fixture(scope="module")
def photo(app):
    return app.upload(encoded("jpeg"), "?codecs=raw-photo,prefixel&inline=1")


def test_inline_streams_are_cut_where_they_are_too_long(app, photo):
    long, short = (photo["codecs"][name] for name in ("raw-photo", "prefixel"))
    url = long["urls"]["pxl"]
    assert long["bytes"] > INLINE_BYTES
    assert base64.b64decode(long["stream"]) == app.get(url).content[:INLINE_BYTES]
    assert len(base64.b64decode(short["stream"])) == short["bytes"]
    again = app.upload(encoded("jpeg"), "?codecs=raw-photo,prefixel&inline=1")
    assert again["codecs"]["raw-photo"]["stream"] == long["stream"]


def test_a_budget_reaches_the_longest_stream(app, photo):
    url = f"/v1/images/{photo['id']}/photo.pxl?codec=raw-photo"
    whole = app.get(url).content
    assert len(whole) == photo["codecs"]["raw-photo"]["bytes"]
    assert app.get(f"{url}&bytes={BYTES.stop - 1}").content == whole


def test_many_prefixes_are_bounded_together(app, photo):
    ids = ",".join([photo["id"]] * 100)
    most = CONTAINER_BYTES // 100
    url = f"/v1/thumbs?codec=raw-photo&ids={ids}"
    assert app.get(f"{url}&bytes={most}").status_code == 200
    answer = app.get(f"{url}&bytes={most + 1}")
    assert (answer.status_code, answer.json()["parameter"]) == (400, "bytes")
    assert str(most) in answer.json()["allowed"]
    # a thumbnail's stream cannot be that long, so any budget does
    assert app.get(f"/v1/thumbs?ids={ids}&bytes={most + 1}").status_code == 200


def test_a_codec_of_streams_that_no_budget_reaches_is_refused_at_the_start():
    with (
        pytest.raises(ConfigurationError, match="raw-photo"),
        running_app((CountingCodec(), RawPhotoCodec(maximum_bytes=BYTES.stop))),
    ):
        pass
