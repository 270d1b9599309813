"""A recurrent codec of photos behind the service: shrunk on the way in, refused where too large."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image

from service.codec import artifact
from service.codec.geometry import Size
from service.codec.photo import header
from service.codec.recurrent.full_resolution import FullResolutionCodec
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.app import CountingCodec, RunningApp, running_app
from tests.support.codec import DEFAULT
from tests.support.photos import crops, encoded

NAME, WIRE_ID, LIMIT = "gru-prime", 18, 2048
SHRUNK = Size(64, 32)


@pytest.fixture(scope="module")
def app() -> Iterator[RunningApp]:
    opened = artifact.read(packaged_artifacts() / NAME)
    codec = FullResolutionCodec(opened, Runtime("cpu", 1), LIMIT)
    with running_app((CountingCodec(), codec), default_codecs=(DEFAULT,)) as started:
        yield started


@pytest.fixture(scope="module")
def image(app: RunningApp) -> dict:
    photo = crops(1, size_range=(240, 240))[0].crop((0, 0, 240, 120))
    return app.upload(encoded("png", photo), f"?codecs={NAME}")


def test_the_document_says_that_a_photo_was_shrunk(image: dict) -> None:
    assert (image["width"], image["height"]) == (240, 120)
    stream = image["codecs"][NAME]
    assert Size(stream["width"], stream["height"]) == SHRUNK
    assert stream["measured"] == {"width": 64, "height": 32}
    assert len(stream["levels"]) == 16
    head = stream["bytes"] - 16 * 4 * 8
    assert [level["bytes"] for level in stream["levels"]] == [head + 32 * n for n in range(1, 17)]
    assert stream["levels"][0]["bpp"] == pytest.approx(1 / 8 + 8 * head / 2048, abs=1e-4)


def test_any_rate_is_painted(app: RunningApp, image: dict) -> None:
    base = f"/v1/images/{image['id']}/photo"
    pictures = []
    for query in ("&bpp=0.1", "&bpp=0.5", "", "&psnr=15"):
        answer = app.get(f"{base}.png?codec={NAME}{query}")
        assert answer.status_code == 200, answer.text
        assert Image.open(BytesIO(answer.content)).size == (64, 32)
        pictures.append(answer.content)
    assert len(set(pictures[:3])) == 3
    assert len(app.get(f"{base}.pxl?codec={NAME}&bpp=0.5").content) == 128
    small = app.get(f"{base}.webp?codec={NAME}&size=32")
    assert Image.open(BytesIO(small.content)).size == (32, 16)


def test_what_lies_in_the_store_is_measured_again_at_its_own_size(app: RunningApp) -> None:
    """Its facts are lost, as after another release: the stream stays, and has its levels."""
    from service.cache import Key

    photo = crops(1, seed=4, size_range=(240, 240))[0].crop((0, 0, 200, 100))
    upload = encoded("png", photo)
    first = app.upload(upload, f"?codecs={NAME}")
    store = app.services.store
    key = Key(first["id"], NAME)
    app.run(store.note(key, b"\xffnot facts"))
    again = app.upload(upload, f"?codecs={NAME}")["codecs"][NAME]
    assert again["v"] == first["codecs"][NAME]["v"]
    levels = [level["bytes"] for level in first["codecs"][NAME]["levels"]]
    assert [level["bytes"] for level in again["levels"]] == levels


def test_a_header_that_asks_for_more_is_refused_before_any_work(app: RunningApp) -> None:
    for size in (Size(65, 33), Size(4096, 4096)):
        stream = header.pack(WIRE_ID, 1, size, 0)
        answer = app.request("POST", "/v1/decode", content=stream + bytes(400))
        assert answer.status_code == 422, answer.text
        assert "at most" in answer.json()["detail"]
    accepted = app.request("POST", "/v1/decode", content=header.pack(WIRE_ID, 1, SHRUNK, 0))
    assert accepted.status_code == 200
