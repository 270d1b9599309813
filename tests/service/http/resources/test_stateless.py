"""A photo to a stream and back, with nothing kept and no cache asked."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.codec.header import pack_header
from tests.support.app import running_app
from tests.support.codec import DEFAULT, GreyCodec, RawPhotoCodec
from tests.support.photos import crops, encoded


@pytest.fixture(scope="module")
def app():
    with running_app() as started:
        started.store.is_down = True
        yield started


@pytest.fixture(scope="module")
def stream(app):
    picture = crops(1, size_range=(200, 200))[0].crop((0, 0, 200, 100))
    return app.request("POST", "/v1/encode", content=encoded("jpeg", picture)).content


def decode(app, content, query=""):
    return app.request("POST", f"/v1/decode{query}", content=content)


def test_encode_answers_the_stream_without_a_cache(app, stream):
    assert len(stream) == 258
    assert app.store.calls == []


def test_nothing_is_measured_of_a_stream_that_is_not_kept(app):
    before = len(app.codec.encoded), len(app.codec.measured)
    app.request("POST", "/v1/encode", content=encoded("png"))
    assert (len(app.codec.encoded), len(app.codec.measured)) == (before[0] + 1, before[1])
    app.request("POST", "/v1/images", content=encoded("webp"))
    assert (len(app.codec.encoded), len(app.codec.measured)) == (before[0] + 2, before[1] + 1)


@pytest.mark.parametrize("budget", [2, 64, 257, 258, 1000])
def test_encode_keeps_the_budget(app, budget):
    photo = encoded("png")
    whole = app.request("POST", "/v1/encode", content=photo).content
    answer = app.request("POST", f"/v1/encode?bytes={budget}&codec={DEFAULT}", content=photo)
    assert answer.status_code == 200
    assert answer.content == whole[:budget]
    headers = answer.headers
    assert headers["content-type"] == "application/vnd.prefixel"
    assert headers["prefixel-stream"] == hashlib.sha256(whole).hexdigest()[:8]
    assert headers["prefixel-bytes"] == headers["content-length"] == str(len(answer.content))
    assert headers["cache-control"] == "no-store, no-transform"


def test_a_form_is_taken_too(app, stream):
    photo = encoded("png")
    raw = app.request("POST", "/v1/encode", content=photo)
    form = app.request("POST", "/v1/encode", files={"file": photo})
    assert form.content == raw.content
    painted = app.request("POST", "/v1/decode", files={"file": stream})
    assert painted.content == decode(app, stream).content


def test_the_background_shows_through(app):
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    photo = encoded("png", picture)
    white, black = (
        app.request("POST", f"/v1/encode{query}", content=photo).content
        for query in ("", "?background=000000")
    )
    assert (white[2], black[2]) == (255, 0)


@pytest.mark.parametrize(
    ("query", "kind", "size"),
    [
        ("", "PNG", (32, 32)),
        ("?format=webp", "WEBP", (32, 32)),
        ("?format=jpg&size=64", "JPEG", (64, 32)),
        ("?size=512", "PNG", (512, 256)),
    ],
)
def test_decode_paints(app, stream, query, kind, size):
    answer = decode(app, stream, query)
    assert answer.status_code == 200
    picture = Image.open(BytesIO(answer.content))
    assert (picture.format, picture.size) == (kind, size)
    assert answer.headers["prefixel-bytes"] == "258"
    assert answer.headers["cache-control"] == "no-store, no-transform"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_decode_or_are_422(app, stream, data):
    changed = bytearray(stream[: data.draw(st.integers(1, len(stream)))])
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(0, min(3, len(changed) - 1)))] = data.draw(
            st.integers(0, 255)
        )
    answer = decode(app, bytes(changed) + data.draw(st.binary(max_size=3)))
    assert answer.status_code in (200, 422)


@pytest.mark.parametrize(
    "content",
    [
        b"\xf8",
        pack_header(5, 0, 1.0) + b"other codec",
        pack_header(31, 3, 1.0),
        b"\xf8\x01",
        bytes(9),
    ],
)
def test_what_is_no_stream_of_ours_is_422_and_spoils_nobodys_batch(app, content):
    answer = decode(app, content)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:prefixel:problem:stream"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/encode?bytes=1", "bytes"),
        ("/v1/encode?codec=nope", "codec"),
        ("/v1/encode?size=9", "query"),
        ("/v1/encode?background=red", "background"),
        ("/v1/decode?format=gif", "format"),
        ("/v1/decode?size=99999", "size"),
        ("/v1/decode?bytes=64", "query"),
    ],
)
def test_parameters_are_refused_before_the_body_is_looked_at(app, path, parameter):
    answer = app.request("POST", path, content=b"whatever")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == parameter


@pytest.mark.parametrize("path", ["/v1/encode", "/v1/decode"])
def test_an_empty_body_is_400(app, path):
    assert app.request("POST", path).status_code == 400


def test_a_full_queue_is_said_before_the_body_is_read():
    with running_app(uploads_limit=1, public_bodies_limit=1) as app:
        app.services.uploads.enter()
        app.services.public_bodies.enter()
        for path in ("/v1/images", "/v1/encode", "/v1/decode"):
            answer = app.request("POST", path, content=b"x")
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert answer.json()["type"] == "urn:prefixel:problem:queue-full"


@pytest.mark.parametrize("size", [None, 9, 50])
def test_a_photos_prefix_is_painted_in_the_shape_of_its_header(size):
    codec = RawPhotoCodec()
    picture = np.asarray(crops(1)[0].resize((60, 36)))
    [made] = codec.encode([picture], [1.0])
    with running_app((GreyCodec(), codec)) as app:
        answer = decode(app, made.stream[:500], "" if size is None else f"?size={size}")
        assert answer.status_code == 200, answer.text
        with Image.open(BytesIO(answer.content)) as shown:
            assert shown.size == ((60, 36) if size is None else (size, round(size * 0.6)))
        cut_header = decode(app, made.stream[:4])
        assert (cut_header.status_code, cut_header.json()["title"]) == (
            422,
            "The stream does not parse",
        )
