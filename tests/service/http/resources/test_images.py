"""Uploads: one id for one photo, work done once, answers without a cache; documents; deletion."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import httpx
import pytest

from service.cache import Key
from service.codec.container import UNAVAILABLE, unpack
from service.codec.interface import Level
from service.http.jobs.facts import Facts, write_facts
from tests.support.app import CountingCodec, running_app
from tests.support.codec import DEFAULT
from tests.support.photos import FORMATS, crops, encoded
from tests.support.redis_server import RedisServer
from tests.support.server import eventually, running_service


@dataclass(frozen=True)
class OtherCodec(CountingCodec):
    """A second codec."""

    name: str = "other"
    wire_id: int = 30


@pytest.fixture
def app():
    with running_app() as started:
        yield started


def test_a_new_photo_is_201_and_the_same_again_is_200_without_work(app):
    photo = encoded("jpeg")
    first = app.request("POST", "/v1/images", content=photo)
    again = app.request("POST", "/v1/images", content=photo)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert app.codec.encoded == [1]
    assert first.headers["location"] == f"/v1/images/{first.json()['id']}"
    assert first.headers["cache-control"] == "no-store"


def test_the_document_tells_size_format_levels_and_urls(app):
    photo = encoded("png", crops(1, size_range=(120, 120))[0].crop((0, 0, 120, 60)))
    image = app.upload(photo)
    assert (image["width"], image["height"], image["aspect"]) == (120, 60, 2.0)
    assert (image["format"], image["stored"]) == ("png", True)
    entry = image["codecs"][DEFAULT]
    assert entry["bytes"] == 258
    assert entry["levels"][0] == {"bytes": 18, "ssim": 0.53, "psnr": 16.0}
    assert len(entry["levels"]) == 16
    assert set(entry["urls"]) == {"pxl", "webp", "png", "jpg"}
    for url in entry["urls"].values():
        assert app.get(url).status_code == 200, url


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_taken(app, format):
    assert app.upload(encoded(format))["format"] == format


def test_a_form_and_a_raw_body_are_the_same_upload(app):
    photo = encoded("webp")
    raw = app.upload(photo)
    form = app.request("POST", "/v1/images", files={"file": ("a.txt", photo, "text/plain")})
    assert (form.status_code, form.json()) == (200, raw)


def test_the_background_is_in_the_id_and_its_default_is_white(app):
    photo = encoded("png")
    ids = [app.upload(photo, query)["id"] for query in ("", "?background=FFFFFF")]
    assert ids[0] == ids[1]
    assert app.upload(photo, "?background=000000")["id"] != ids[0]


def test_the_key_is_in_the_id():
    photo = encoded("png")
    ids = set()
    for key in ("", "one", "two"):
        with running_app(id_key=key) as app:
            ids.add(app.upload(photo)["id"])
    assert len(ids) == 3


def test_codecs_are_encoded_when_asked_for_and_only_those_that_are_missing():
    codec, other = CountingCodec(), OtherCodec()
    photo = encoded("jpeg")
    with running_app((codec, other)) as app:
        assert list(app.upload(photo)["codecs"]) == [DEFAULT]
        answer = app.request("POST", f"/v1/images?codecs={DEFAULT},other", content=photo)
        assert answer.status_code == 201
        assert list(answer.json()["codecs"]) == [DEFAULT, "other"]
        assert (codec.encoded, other.encoded) == ([1], [1])
        document = app.get(f"/v1/images/{answer.json()['id']}").json()
        assert set(document["codecs"]) == {DEFAULT, "other"}


def test_inline_brings_the_stream_of_a_new_and_of_a_known_photo(app):
    photo = encoded("jpeg")
    new, known = app.upload(photo, "?inline=1"), app.upload(photo, "?inline=1")
    entry = new["codecs"][DEFAULT]
    assert app.get(entry["urls"]["pxl"]).content == base64.b64decode(entry["stream"])
    assert known == new
    assert app.codec.encoded == [1]
    assert "stream" not in app.upload(photo)["codecs"][DEFAULT]


def test_a_stream_that_left_the_cache_is_made_again(app):
    photo = encoded("jpeg")
    image = app.upload(photo)
    app.run(app.store.inner.delete(image["id"]))
    app.run(app.store.inner.note(Key(image["id"], ""), b'[96, 64, "jpeg"]'))
    again = app.request("POST", "/v1/images", content=photo)
    assert (again.status_code, again.json()) == (201, image)
    assert app.codec.encoded == [1, 1]


def version(n):
    return CountingCodec(version=n, readable_versions=frozenset((n,)))


def test_a_stream_of_an_earlier_version_that_is_gone_is_made_again():
    photo = encoded("jpeg")
    with running_app((version(1),)) as older, running_app((version(3),)) as app:
        old = older.upload(photo)
        app.store.inner = older.store.inner
        url = f"/v1/images/{old['id']}/thumb.png"
        assert app.get(url).json()["type"] == "urn:prefixel:problem:stream-gone"
        again = app.request("POST", "/v1/images", content=photo)
        assert (again.status_code, again.json()["id"]) == (201, old["id"])
        assert again.json()["codecs"][DEFAULT]["version"] == 3
        assert app.codec.encoded == [1]
        assert app.get(url).status_code == 200
        assert app.request("POST", "/v1/images", content=photo).status_code == 200


def test_a_stream_of_a_later_version_is_gone_here_and_stays():
    """Servers of two versions on one cache, while the later one is rolled out."""
    photo = encoded("jpeg")
    with running_app((version(3),)) as newer, running_app((version(1),)) as app:
        new = newer.upload(photo)
        app.store.inner = newer.store.inner
        document = f"/v1/images/{new['id']}"
        pxl = new["codecs"][DEFAULT]["urls"]["pxl"]
        reads = (document, f"{document}/thumb.pxl", f"{document}/thumb.png", pxl, f"{pxl}&bytes=64")
        for url in (*reads, f"{pxl}&ssim=0.6", f"{document}/thumb.pxl?bytes=20"):
            for ranged in ({}, {"range": "bytes=100-120"}):
                answer = app.get(url, **ranged)
                assert answer.status_code == 404, url
                assert answer.json()["type"] == "urn:prefixel:problem:stream-gone", url
        many = app.get(f"/v1/thumbs?ids={new['id']}&bytes=64")
        assert unpack(many.content) == (UNAVAILABLE,)
        again = app.request("POST", "/v1/images", content=photo)
        assert (again.status_code, again.json()["stored"]) == (201, False)
        entry = again.json()["codecs"][DEFAULT]
        assert entry["version"] == 1
        stream = base64.b64decode(entry["stream"])
        assert app.request("POST", "/v1/decode", content=stream).status_code == 200
        assert newer.upload(photo) == new
        assert newer.get(pxl).status_code == 200
        assert newer.codec.encoded == [1]


def test_an_upload_that_was_overtaken_answers_with_what_is_kept(app):
    """Two processes encode one photo: whoever comes second leaves the stream that is there."""
    photo, put = encoded("jpeg"), app.store.inner.put
    first = app.upload(photo)
    app.run(app.store.inner.delete(first["id"]))
    other = bytes((app.codec.wire_id << 3, 128)) + bytes(256)
    v = hashlib.sha256(other).hexdigest()[:8]
    facts = Facts(v, app.codec.version, len(other), (Level(18, 0.5, 20.0),))

    async def overtaken(key, stream, meta):
        await put(key, other, write_facts(facts))
        return await put(key, stream, meta)

    app.store.inner.put = overtaken
    answer = app.upload(photo)
    assert (answer["stored"], answer["codecs"][DEFAULT]["v"]) == (True, v)
    assert app.get(answer["codecs"][DEFAULT]["urls"]["pxl"]).content == other


DAMAGE = {
    "nothing": b"",
    "rubbish": b"not ours",
    "NaN": b'["00000000", 0, 258, [[18, NaN, 20.0, null]], [32, 32, 32, 32]]',
    "huge": b'["00000000", 0, 258, [[18, 1e999, 20.0, null]], [32, 32, 32, 32]]',
    "types": b'{"v": 1}',
    "nested": b"[" * 50_000,
    "digits": b'["00000000", 0, ' + b"9" * 5000 + b", [], [32, 32, 32, 32]]",
    "levels": b'["00000000", 0, 258, [["18", true, [], {}]], [32, 32, 32, 32]]',
    "sizes": b'["00000000", 0, 258, [], [-1, 0, 32, 32]]',
    "descending": b'["00000000", 0, 258, [[18, 0.5, 20.0, null], [9, 0.5, 20.0, null]]]',
    "too long": b"[" + b" " * 100_000 + b"]",
    "cut": b"\x02\x00\x00\x00\x00\x00",
    "endless": b"\x02" + b"\xff" * 40,
    "no image": b"[0, 1, 2]",
    "null": b"null",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("codec", ["", DEFAULT])
def test_damaged_metadata_is_absent_counted_and_healed_by_the_next_upload(app, codec, damage):
    photo = encoded("jpeg")
    image = app.upload(photo)
    damage = damage.replace(b"00000000", image["codecs"][DEFAULT]["v"].encode())
    app.run(app.store.inner.note(Key(image["id"], codec), damage))
    path = f"/v1/images/{image['id']}"
    for url in (path, f"{path}/thumb.pxl?ssim=0.6", f"{path}/thumb.png?psnr=20"):
        assert app.get(url).status_code in (200, 404), url
    assert app.get(path).status_code == 404
    assert app.store.reported
    assert app.get(f"{path}/thumb.pxl?bytes=64").status_code == 200
    again = app.upload(photo)
    assert again == image
    assert app.get(path).json() == image
    assert app.codec.encoded == [1]


def test_without_a_cache_an_upload_is_201_not_stored_and_inline(app):
    app.store.is_down = True
    answer = app.request("POST", "/v1/images", content=encoded("jpeg"))
    assert answer.status_code == 201
    assert answer.json()["stored"] is False
    stream = base64.b64decode(answer.json()["codecs"][DEFAULT]["stream"])
    assert len(stream) == 258
    painted = app.request("POST", "/v1/decode", content=stream)
    assert painted.headers["content-type"] == "image/png"


def test_a_codec_that_is_not_loaded_is_400(app):
    answer = app.request("POST", f"/v1/images?codecs={DEFAULT},nope", content=b"x")
    assert answer.status_code == 400
    assert (answer.json()["parameter"], answer.json()["allowed"]) == ("codecs", DEFAULT)


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"not a picture", 415), (b"\xff\xd8\xff\xe0 broken", 422)],
)
def test_what_is_no_picture_is_refused_by_its_content(app, content, status):
    answer = app.request("POST", "/v1/images", content=content)
    assert answer.status_code == status
    assert app.codec.encoded == []


def test_a_body_over_the_limit_is_413():
    with running_app(body_limit_bytes=1000) as app:
        assert app.request("POST", "/v1/images", content=bytes(1001)).status_code == 413


def test_uploads_and_encoding_need_a_token_where_tokens_are_set():
    with running_app(upload_tokens=("one", "two")) as app:
        photo = encoded("jpeg")
        for path in ("/v1/images", "/v1/encode"):
            for headers in ({}, {"authorization": "Bearer three"}, {"authorization": "Basic one"}):
                answer = app.request("POST", path, content=photo, headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
            for token in ("one", "two"):
                headers = {"authorization": f"Bearer {token}"}
                assert app.request("POST", path, content=photo, headers=headers).is_success
        assert app.request("POST", "/v1/decode", content=b"\xf8\x80abc").status_code == 200


def test_a_document_has_an_etag_and_is_asked_for_again(app):
    image = app.upload(encoded("jpeg"))
    answer = app.get(f"/v1/images/{image['id']}")
    assert answer.json() == image
    assert answer.headers["cache-control"] == "no-cache"
    again = app.get(f"/v1/images/{image['id']}", if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    head_ = app.request("HEAD", f"/v1/images/{image['id']}")
    assert (head_.content, head_.headers["etag"]) == (b"", answer.headers["etag"])
    assert head_.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize("id", ["a" * 26, "nonsense"])
def test_an_unknown_document_is_404(app, id):
    answer = app.get(f"/v1/images/{id}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:prefixel:problem:unknown-image"
    assert answer.headers["cache-control"] == "no-store"


def test_an_unanswering_cache_is_503_for_reads_and_deletion():
    with running_app(delete_tokens=("d",)) as app:
        image = app.upload(encoded("jpeg"))
        app.store.is_down = True
        headers = {"authorization": "Bearer d"}
        for method in ("GET", "HEAD", "DELETE"):
            answer = app.request(method, f"/v1/images/{image['id']}", headers=headers)
            assert answer.status_code == 503, method
            assert answer.headers["retry-after"]


def test_deletion_needs_its_own_token_and_leaves_nothing():
    with running_app(delete_tokens=("d",), upload_tokens=("u",)) as app:
        photo, upload = encoded("jpeg"), {"authorization": "Bearer u"}
        image = app.request("POST", "/v1/images", content=photo, headers=upload).json()
        url = f"/v1/images/{image['id']}"
        assert app.request("DELETE", url).status_code == 401
        assert app.request("DELETE", url, headers=upload).status_code == 401
        answer = app.request("DELETE", url, headers={"authorization": "Bearer d"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert app.get(url).status_code == 404
        assert app.get(f"{url}/thumb.pxl").status_code == 404
        again = app.request("DELETE", url, headers={"authorization": "Bearer d"})
        assert again.status_code == 404


def test_nobody_deletes_where_no_tokens_are_set_and_hears_which_setting_is_missing(app):
    image = app.upload(encoded("jpeg"))
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer x"}):
        answer = app.request("DELETE", f"/v1/images/{image['id']}", headers=headers)
        assert answer.status_code == 403
        assert "PREFIXEL_DELETE_TOKENS" in answer.json()["detail"]
    assert app.get(f"/v1/images/{image['id']}").is_success


def test_the_paths_name_all_their_methods_in_a_405(app):
    answer = app.request("PUT", f"/v1/images/{'a' * 26}")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}


def test_redis_gone_back_and_empty_again():
    """Uploads go on without it, reads say 503 and not 404, and it heals."""
    photo = encoded("jpeg")
    with (
        RedisServer() as redis,
        running_service(PREFIXEL_REDIS_URL=redis.url, PREFIXEL_BREAKER_SECONDS=0.2) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        image = client.post("/v1/images", content=photo).json()
        pxl = f"/v1/images/{image['id']}/thumb.pxl?bytes=64"
        assert client.get(pxl).status_code == 200
        redis.kill()
        assert client.get(pxl).status_code == 503
        answer = client.post("/v1/images", content=photo)
        assert (answer.status_code, answer.json()["stored"]) == (201, False)
        assert client.get("/readyz").status_code == 200
        redis.start()
        eventually(lambda: client.get(pxl).status_code == 404)
        eventually(lambda: client.post("/v1/images", content=photo).json()["stored"])
        assert client.get(pxl).status_code == 200
