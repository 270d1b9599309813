"""Painted prefixes: the right bytes, painted once, dropped when nobody waits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image

from service.cache import Key
from service.codec.header import pack_header
from tests.support.app import CountingCodec, running_app
from tests.support.codec import DEFAULT
from tests.support.photos import crops, encoded
from tests.support.raw import connection, head
from tests.support.server import eventually, running_service

FORMATS = {"webp": "WEBP", "png": "PNG", "jpg": "JPEG"}


@pytest.fixture(scope="module")
def app():
    with running_app() as started:
        yield started


@pytest.fixture(scope="module")
def image(app):
    """192 x 96."""
    return app.upload(encoded("jpeg", crops(1, size_range=(192, 192))[0].crop((0, 0, 192, 96))))


@pytest.fixture(scope="module")
def base(image):
    return f"/v1/images/{image['id']}/thumb"


def opened(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def test_a_raster_waits_for_no_upload_that_is_being_decoded(app, base):
    uploads, gate = app.services.picture_executor, threading.Event()
    held = [uploads.submit(gate.wait, 30) for _ in range(2 * uploads._max_workers)]
    try:
        assert app.get(f"{base}.webp?bytes=61").status_code == 200
        assert not any(one.done() for one in held)
    finally:
        gate.set()


@pytest.mark.parametrize("output", FORMATS)
def test_each_output_is_a_picture_of_its_kind(app, base, output):
    answer = app.get(f"{base}.{output}?bytes=64")
    picture = opened(answer)
    assert (picture.format, picture.size) == (FORMATS[output], (32, 32))
    assert answer.headers["content-type"] == Image.MIME[FORMATS[output]]
    assert answer.headers["cache-control"] == "public, max-age=86400, no-transform"
    assert answer.headers["prefixel-bytes"] == "64"
    assert answer.headers["accept-ranges"] == "none"
    digest = hashlib.sha256(answer.content).digest()
    field = f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert answer.headers["repr-digest"] == answer.headers["content-digest"] == field
    assert answer.headers["etag"] == f'"{digest.hex()[:32]}"'


def test_the_prefix_is_what_the_codec_paints(app, base):
    stream = app.get(f"{base}.pxl?bytes=100").content
    (expected,) = app.codec.decode([stream])
    assert (np.asarray(opened(app.get(f"{base}.png?bytes=100"))) == expected).all()


@pytest.mark.parametrize(("size", "expected"), [(512, (512, 256)), (1, (1, 1)), (100, (100, 50))])
def test_size_is_the_longest_side_in_the_originals_aspect(app, base, size, expected):
    assert opened(app.get(f"{base}.webp?size={size}")).size == expected


@pytest.mark.parametrize(
    ("query", "length"),
    [("", 258), ("?ssim=0.54", 34), ("?psnr=16&bytes=9", 9), ("?bytes=999", 258)],
)
def test_the_same_queries_as_for_streams(app, base, query, length):
    answer = app.get(f"{base}.webp{query}")
    assert answer.headers["prefixel-bytes"] == str(length)
    assert answer.headers["prefixel-stream"] == app.get(f"{base}.pxl").headers["prefixel-stream"]
    assert ("prefixel-ssim" in answer.headers) == ("ssim" in query)


def test_a_known_etag_saves_the_body_and_a_range_is_ignored(app, base):
    whole = app.get(f"{base}.png")
    again = app.get(f"{base}.png", if_none_match=whole.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == whole.headers["cache-control"]
    assert app.get(f"{base}.png", range="bytes=0-9").content == whole.content


def test_head_says_what_get_would_send(app, base):
    get, head_ = app.get(f"{base}.png"), app.request("HEAD", f"{base}.png")
    assert head_.content == b""
    for name in ("etag", "content-length", "repr-digest", "content-type"):
        assert head_.headers[name] == get.headers[name]


@pytest.mark.parametrize("query", ["size=0", "size=513", "size=9&size=9", "format=png", "bytes=1"])
def test_parameters_have_bounds(app, base, query):
    assert app.get(f"{base}.png?{query}").status_code == 400


@pytest.mark.parametrize("output", ["gif", "avif", "pxl2", "WEBP"])
def test_no_such_output_is_404(app, base, output):
    assert app.get(f"{base}.{output}").json()["type"] == "urn:prefixel:problem:no-route"


def test_v_names_one_stream(app, base):
    v = app.get(f"{base}.pxl").headers["prefixel-stream"]
    assert app.get(f"{base}.png?v={v}").status_code == 200
    assert app.get(f"{base}.png?v=00000000").status_code == 404


def test_a_stream_of_a_codec_that_is_gone_is_404(app, image, base):
    stream = pack_header(9, 0, 1.0) + b"old"
    app.run(app.store.put(Key(image["id"], "old"), stream, b""))
    answer = app.get(f"{base}.png?codec=old")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:prefixel:problem:stream-gone"


def test_a_cache_that_cannot_answer_is_503(app, base):
    app.store.is_down = True
    try:
        assert app.get(f"{base}.png").status_code == 503
    finally:
        app.store.is_down = False


def test_equal_rasters_at_the_same_time_are_painted_once_and_others_in_one_batch():
    with running_app((CountingCodec(delay_seconds=0.1),)) as app:
        base = f"/v1/images/{app.upload(encoded('jpeg'))['id']}/thumb.png"

        async def ask(*queries):
            return await asyncio.gather(*(app.http.get(base + query) for query in queries))

        answers = app.run(ask(*["?bytes=64"] * 8))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert app.codec.decoded == [1]
        app.codec.decoded.clear()
        app.run(ask(*(f"?bytes={budget}" for budget in range(10, 18))))
        assert sum(app.codec.decoded) == 8
        assert len(app.codec.decoded) < 8


def test_a_raster_that_nobody_waits_for_is_not_decoded(tmp_path):
    gate = tmp_path / "gate"
    with running_service(PREFIXEL_MAX_BATCH=1, TEST_CODEC_GATE=gate) as server:
        photo = httpx.post(server.url + "/v1/images", content=encoded("jpeg")).json()
        gate.touch()

        def metric(name):
            lines = httpx.get(server.url + "/metrics").text.splitlines()
            return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

        base = f"/v1/images/{photo['id']}/thumb.webp?bytes="
        with connection(server) as first:
            first.sendall(head("GET", f"{base}64"))
            eventually(lambda: metric("prefixel_batch_dispatch_total{") == 2)
            for budget in range(10, 15):
                with connection(server) as sock:
                    sock.sendall(head("GET", f"{base}{budget}"))
            eventually(lambda: metric("prefixel_client_gone_total ") == 5, 8)
            gate.unlink()
            first.recv(1)
        assert metric(f'prefixel_batch_size_sum{{network="{DEFAULT}-decode"') == 1
