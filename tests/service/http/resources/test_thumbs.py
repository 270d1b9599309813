"""Many prefixes in one body: in the order asked for, each with its state."""

from __future__ import annotations

import hashlib

import pytest

from service.codec.container import UNAVAILABLE, UNKNOWN, Entry, State, unpack
from tests.support.app import running_app
from tests.support.photos import crops, encoded

NOBODY = "a" * 26


@pytest.fixture(scope="module")
def app():
    with running_app(ids_limit=8) as started:
        yield started


@pytest.fixture(scope="module")
def ids(app):
    return [app.upload(encoded("png", crop))["id"] for crop in crops(3)]


def asked(app, method, ids, budget, codec=None):
    if method == "POST":
        content = {"ids": ids, "bytes": budget, **({"codec": codec} if codec else {})}
        return app.request("POST", "/v1/thumbs", json=content)
    more = f"&codec={codec}" if codec else ""
    return app.get(f"/v1/thumbs?ids={','.join(ids)}&bytes={budget}{more}")


def entry(app, id, budget):
    stream = app.get(f"/v1/images/{id}/thumb.pxl").content
    return Entry(State.OK, hashlib.sha256(stream).digest()[:4], len(stream), stream[:budget])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_prefixes_come_in_the_order_asked_for(app, ids, method):
    wanted = [ids[2], ids[0], ids[2], ids[1]]
    answer = asked(app, method, wanted, 64)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.prefixel-container"
    assert answer.headers["cache-control"] == (
        "public, max-age=300, stale-while-revalidate=86400, no-transform"
    )
    assert unpack(answer.content) == tuple(entry(app, id, 64) for id in wanted)


def test_get_and_post_send_the_same_bytes(app, ids):
    get, post = (asked(app, method, ids, 32) for method in ("GET", "POST"))
    assert get.content == post.content
    assert get.headers["etag"] == post.headers["etag"]


def test_a_budget_over_the_whole_gives_the_whole(app, ids):
    (found,) = unpack(asked(app, "GET", ids[:1], 2**20).content)
    assert len(found.data) == found.total_bytes == 258


def test_one_read_of_the_store_serves_all(app, ids):
    app.store.calls.clear()
    asked(app, "GET", ids, 64)
    assert app.store.calls == ["many"]


def test_an_unknown_id_is_an_entry_and_the_answer_is_not_kept(app, ids):
    answer = asked(app, "GET", [NOBODY, ids[0]], 64)
    assert unpack(answer.content) == (UNKNOWN, entry(app, ids[0], 64))
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert unpack(asked(app, "POST", ids[:1], 64, "other").content) == (UNKNOWN,)


def test_a_cache_that_cannot_answer_makes_entries_unavailable(app, ids):
    app.store.is_down = True
    try:
        answer = asked(app, "POST", ids, 64)
    finally:
        app.store.is_down = False
    assert answer.status_code == 200
    assert unpack(answer.content) == (UNAVAILABLE,) * 3
    assert answer.headers["cache-control"] == "no-store, no-transform"


def test_an_etag_saves_the_body_of_get(app, ids):
    answer = asked(app, "GET", ids, 64)
    url = f"/v1/thumbs?ids={','.join(ids)}&bytes=64"
    again = app.get(url, if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    head = app.request("HEAD", url)
    assert (head.content, head.headers["etag"]) == (b"", answer.headers["etag"])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("wanted", "budget", "parameter"),
    [
        ([NOBODY] * 9, 64, "ids"),
        ([NOBODY], 1, "bytes"),
        ([NOBODY], 2**26 + 1, "bytes"),
        (["nonsense"], 64, "ids"),
        ([""], 64, "ids"),
    ],
)
def test_bounds_hold_however_it_is_asked(app, method, wanted, budget, parameter):
    answer = asked(app, method, wanted, budget)
    assert answer.status_code == 400
    assert answer.json()["parameter"].startswith(parameter)


@pytest.mark.parametrize(
    "query", ["", "?bytes=64", f"?ids={NOBODY}", f"?ids={NOBODY}&bytes=64&x=1"]
)
def test_ids_and_bytes_are_needed_and_nothing_else_is_taken(app, query):
    assert app.get(f"/v1/thumbs{query}").status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"ids": []}',
        b'{"ids": [], "bytes": 64}',
        b'{"ids": "x", "bytes": 64}',
        b'{"ids": ["%s"], "bytes": "64"}' % NOBODY.encode(),
        b'{"ids": ["%s"], "bytes": 64, "more": 1}' % NOBODY.encode(),
        b'{"ids": ["%s"], "bytes": 1e99}' % NOBODY.encode(),
        b"[" * 1400,
        b"\xff\xfe",
    ],
)
def test_json_of_another_form_is_400(app, content):
    answer = app.request("POST", "/v1/thumbs", content=content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_json_is_bounded(app):
    assert app.request("POST", "/v1/thumbs", content=bytes(10_000)).status_code == 413


def test_the_default_limit_of_256_ids_fits_into_either_form():
    with running_app() as app:
        wanted = [NOBODY] * 256
        for method in ("GET", "POST"):
            assert len(unpack(asked(app, method, wanted, 64).content)) == 256
            assert asked(app, method, [*wanted, NOBODY], 64).status_code == 400
