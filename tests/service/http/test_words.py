"""What people are told when they come close: by name, with what would have worked."""

from __future__ import annotations

from importlib.util import find_spec

import httpx
import pytest

from service.errors import CodecError, UnsupportedPictureError
from service.pictures import Limits, Opener
from service.pictures.sniff import NAMES, instead_of_stream
from tests.support.photos import FORMATS, encoded
from tests.support.server import running_service

ID = "a" * 26


@pytest.fixture(scope="module")
def client():
    with running_service() as server, httpx.Client(base_url=server.url) as client:
        yield client


@pytest.mark.parametrize("format", [one for one in FORMATS if one != "heic"])
def test_a_picture_that_is_sent_to_be_decoded_is_named(client, format):
    answer = client.post("/v1/decode", content=encoded(format))
    assert answer.status_code == 422
    assert f"this is a {NAMES[format]} file, not a stream" in answer.json()["detail"]


def test_what_is_neither_keeps_its_own_words():
    error = CodecError("wire id 0 is reserved")
    assert instead_of_stream(b"\0\0", error) is error


def test_a_parameter_that_is_unknown_is_named_and_never_echoed_whole(client):
    detail = client.get(f"/v1/images/{ID}/thumb.pxl?size=64").json()
    assert "no parameter 'size' here" in detail["detail"]
    assert "bytes" in detail["allowed"]
    long = client.get(f"/v1/images/{ID}/thumb.pxl?%3Cb%3E%00{'x' * 900}=1").json()["detail"]
    assert "'<b>?" in long
    assert len(long) < 120


def test_a_bad_id_is_named(client):
    assert "not 'cat.jpg'" in client.get("/v1/images/cat.jpg").json()["detail"]
    assert "not 'cat.jpg'" in client.get("/v1/images/cat.jpg/thumb.pxl").json()["detail"]
    assert "not 'cat'" in client.get(f"/v1/thumbs?ids={ID},cat&bytes=64").json()["detail"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"/v1/images/{ID}/thumb.jpeg", "did you mean thumb.jpg?"),
        (f"/v1/images/{ID}/photo.webm", "did you mean photo.webp?"),
        ("/v1/image", "did you mean images?"),
        ("/v1/codecs/", "without the slash at its end there is"),
        (f"/v1/images/{ID}/thumb.pxl/", "without the slash at its end there is"),
        ("/v2/images", "/openapi.json lists what is"),
        ("/nothing/like/this/at/all", "/openapi.json lists what is"),
    ],
)
def test_a_near_miss_is_told(client, path, told):
    answer = client.get(path)
    assert answer.status_code == 404
    assert told in answer.json()["detail"]


def test_a_form_without_the_file_is_recognised(client):
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    part = '--x\r\nContent-Disposition: form-data; name="file"{}\r\n\r\n{}\r\n--x--\r\n'
    answer = client.post("/v1/images", content=part.format("", "photo.jpg"), headers=head)
    assert answer.status_code == 400
    assert "curl -F file=@NAME" in answer.json()["detail"]
    named = part.format('; filename="a.jpg"', "photo.jpg")
    assert client.post("/v1/images", content=named, headers=head).status_code == 415


def test_a_format_that_is_not_installed_comes_with_its_pip_line(monkeypatch):
    opener = Opener(Limits())
    if find_spec("pillow_heif") is None:
        data = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(200)
    else:
        data = encoded("heic")
        monkeypatch.setattr(opener, "_has_heic", False)
    with pytest.raises(UnsupportedPictureError, match=r"pip install 'prefixel\[heif\]'") as refused:
        opener.open(data)
    assert "jpeg" in refused.value.members["accepted"]
    assert "heic" not in refused.value.members["accepted"]
