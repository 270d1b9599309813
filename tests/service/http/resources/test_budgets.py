"""Real codecs behind HTTP: no answer is longer than its budget, whatever the photo was.

The default codec, and one whose streams all have the same length.
"""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from service.codec.recurrent.codec import RecurrentCodec
from service.codec.registry import load_codecs
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.app import running_app
from tests.support.codec import DEFAULT
from tests.support.photos import uploads

PICTURES = 18
AT_ONCE = 16
STEP = 9


@pytest.fixture(scope="module", params=[DEFAULT, "conv-lstm"])
def app(request):
    codecs = load_codecs(packaged_artifacts(), [request.param], Runtime("cpu", 0))
    with running_app(tuple(codecs.values()), default_codec=request.param) as started:
        yield started


async def upload_all(app, photos):
    images = []
    for start in range(0, len(photos), AT_ONCE):
        posts = (app.http.post("/v1/images", content=data) for _, data in photos[start:][:AT_ONCE])
        images += [answer.json() for answer in await asyncio.gather(*posts)]
    return images


@pytest.mark.timeout(300)
def test_every_budget_holds_on_pictures_of_every_format(app):
    """Each budget from the minimum to the whole on 2 pictures, each picture with every ninth."""
    photos = uploads(PICTURES)
    images = app.run(upload_all(app, photos))
    assert len({image["id"] for image in images}) == PICTURES
    assert {image["format"] for image in images} == {format for format, _ in photos}
    codec = app.codec
    for index, image in enumerate(images):
        url = f"/v1/images/{image['id']}/thumb.pxl"
        whole = app.get(url).content
        assert len(whole) == image["codecs"][codec.name]["bytes"] <= codec.maximum_bytes
        assert not isinstance(codec, RecurrentCodec) or len(whole) == codec.maximum_bytes
        first = codec.minimum_bytes + index % STEP
        for budget in range(first, codec.maximum_bytes + 1, STEP):
            answer = app.get(f"{url}?bytes={budget}")
            assert int(answer.headers["content-length"]) == len(answer.content) <= budget
            assert answer.content == whole[:budget]


def test_a_quality_that_is_promised_is_reached(app):
    """The levels are those of the picture that the decoder paints."""
    (_, photo), *_ = uploads(1, seed=3)
    image = app.upload(photo)
    levels = image["codecs"][app.codec.name]["levels"]
    if isinstance(app.codec, RecurrentCodec):
        assert levels[-1]["bytes"] == app.codec.maximum_bytes
    for level in levels[::5]:
        answer = app.get(f"/v1/images/{image['id']}/thumb.pxl?ssim={level['ssim']}")
        assert float(answer.headers["prefixel-ssim"]) >= level["ssim"]
        assert len(answer.content) <= level["bytes"]


def test_the_same_prefix_is_painted_the_same_through_every_path(app):
    (_, photo), *_ = uploads(1, seed=4)
    id = app.upload(photo)["id"]
    stream = app.request("POST", "/v1/encode?bytes=64", content=photo).content
    stored = app.get(f"/v1/images/{id}/thumb.pxl?bytes=64")
    assert stored.content == stream
    painted = app.get(f"/v1/images/{id}/thumb.png?bytes=64&size=128").content
    stateless = app.request("POST", "/v1/decode?size=128", content=stream).content
    assert hashlib.sha256(painted).digest() == hashlib.sha256(stateless).digest()
