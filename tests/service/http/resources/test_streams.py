"""A stream and its prefixes over HTTP: budgets, ranges, conditions, digests, lifetimes."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cache import Key
from tests.support.app import running_app
from tests.support.codec import DEFAULT
from tests.support.photos import encoded

TOTAL = 258
IMMUTABLE = "public, max-age=31536000, immutable, no-transform"
FRESH = "public, max-age=300, stale-while-revalidate=86400, no-transform"


@pytest.fixture(scope="module")
def app():
    with running_app() as started:
        yield started


@pytest.fixture(scope="module")
def image(app):
    return app.upload(encoded("jpeg"), "?inline=1")


@pytest.fixture(scope="module")
def whole(image):
    return base64.b64decode(image["codecs"][DEFAULT]["stream"])


@pytest.fixture(scope="module")
def url(image):
    return f"/v1/images/{image['id']}/thumb.pxl"


def sha256(data):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def etag(data):
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def prefix_etag(whole, budget):
    return f'"{hashlib.sha256(whole).hexdigest()[:8]}-{min(budget, len(whole))}"'


def test_the_whole_stream_carries_its_hash_in_every_form(app, url, whole):
    answer = app.get(url)
    assert answer.status_code == 200
    assert answer.content == whole
    headers = answer.headers
    assert headers["content-type"] == "application/vnd.prefixel"
    assert headers["etag"] == etag(whole)
    assert headers["repr-digest"] == headers["content-digest"] == sha256(whole)
    assert headers["prefixel-stream"] == hashlib.sha256(whole).hexdigest()[:8]
    assert headers["prefixel-bytes"] == headers["content-length"] == str(TOTAL)
    assert headers["accept-ranges"] == "bytes"
    assert headers["cache-control"] == FRESH
    assert "content-encoding" not in headers
    assert "vary" not in headers


@pytest.mark.parametrize("budget", [2, 3, 17, 18, 64, 257, 258, 259, 2**26])
def test_an_answer_never_exceeds_its_budget_and_is_the_prefix(app, url, whole, budget):
    answer = app.get(f"{url}?bytes={budget}")
    assert answer.status_code == 200
    assert answer.content == whole[:budget]
    assert int(answer.headers["content-length"]) <= budget
    assert answer.headers["etag"] == prefix_etag(whole, budget)
    assert answer.headers["repr-digest"] == sha256(whole[:budget])
    assert answer.headers["prefixel-stream"] == hashlib.sha256(whole).hexdigest()[:8]


def test_a_budget_alone_costs_one_read_of_that_many_bytes(app, url):
    app.store.calls.clear()
    app.get(f"{url}?bytes=64")
    assert app.store.calls == ["read 0 64"]


def test_a_range_costs_one_read_of_what_it_needs(app, url):
    app.store.calls.clear()
    app.get(url, range="bytes=16-63")
    assert app.store.calls == ["read 16 64"]


def test_a_range_is_a_part_of_the_whole(app, url, whole):
    answer = app.get(url, range="bytes=64-127")
    assert answer.status_code == 206
    assert answer.content == whole[64:128]
    assert answer.headers["content-range"] == f"bytes 64-127/{TOTAL}"
    assert answer.headers["etag"] == etag(whole)
    assert answer.headers["repr-digest"] == sha256(whole)
    assert answer.headers["content-digest"] == sha256(whole[64:128])
    assert answer.headers["cache-control"] == FRESH


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("64-", 64, 258), ("-10", 248, 258), ("-999", 0, 258), ("0-0", 0, 1), ("250-9999", 250, 258)],
)
def test_every_form_of_a_range(app, url, whole, asked, start, end):
    answer = app.get(url, range=f"bytes={asked}")
    assert answer.status_code == 206
    assert answer.content == whole[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{TOTAL}"


@pytest.mark.parametrize("asked", ["258-", "999-1000", "-0", f"{'9' * 400}-"])
def test_a_range_outside_is_416_with_the_length(app, url, asked):
    answer = app.get(url, range=f"bytes={asked}")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{TOTAL}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=x", "lines=1-2", ""])
def test_other_ranges_are_ignored(app, url, whole, asked):
    answer = app.get(url, range=asked)
    assert (answer.status_code, answer.content) == (200, whole)


def test_two_range_headers_are_ignored(app, url, whole):
    two = [("range", "bytes=0-1"), ("range", "bytes=4-5")]
    answer = app.request("GET", url, headers=two)
    assert (answer.status_code, answer.content) == (200, whole)


@pytest.mark.parametrize("query", ["?bytes=100", "?ssim=0.5", "?psnr=15", "?bytes=999"])
def test_a_range_on_a_prefix_is_ignored(app, url, query):
    plain = app.get(url + query)
    ranged = app.get(url + query, range="bytes=5-9")
    assert (ranged.status_code, ranged.content) == (200, plain.content)
    assert ranged.headers["accept-ranges"] == "none"


@settings(max_examples=40, deadline=None)
@given(budget=st.integers(2, 258))
def test_the_first_bytes_are_the_same_by_range_and_by_budget(app, url, budget):
    by_budget = app.get(f"{url}?bytes={budget}")
    by_range = app.get(url, range=f"bytes=0-{budget - 1}")
    assert by_budget.content == by_range.content
    assert by_budget.headers["content-digest"] == by_range.headers["content-digest"]
    assert by_budget.headers["prefixel-stream"] == by_range.headers["prefixel-stream"]


def test_if_range_decides_whether_a_range_holds(app, url, whole):
    ranged = app.get(url, range="bytes=0-9", if_range=etag(whole))
    assert (ranged.status_code, ranged.content) == (206, whole[:10])
    for other in ('"other"', f"W/{etag(whole)}", "Sat, 21 Nov 2026 07:00:00 GMT"):
        answer = app.get(url, range="bytes=0-9", if_range=other)
        assert (answer.status_code, answer.content) == (200, whole)
        assert answer.headers["content-length"] == str(TOTAL)


def test_if_none_match_saves_the_body(app, url, whole):
    for query, tag in (("", etag(whole)), ("?bytes=64", prefix_etag(whole, 64))):
        answer = app.get(url + query, if_none_match=f'"x", W/{tag}')
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == FRESH
        assert "content-length" not in answer.headers
        assert app.get(url + query, if_none_match='"x"').status_code == 200


def test_if_none_match_goes_before_range(app, url, whole):
    assert app.get(url, if_none_match=etag(whole), range="bytes=0-9").status_code == 304
    assert app.get(url, if_none_match="*", range="bytes=999-").status_code == 304


def test_an_etag_of_one_budget_is_none_of_another(app, url, whole):
    assert app.get(f"{url}?bytes=65", if_none_match=prefix_etag(whole, 64)).status_code == 200
    assert app.get(f"{url}?bytes=64", if_none_match=prefix_etag(whole, 64)).status_code == 304


@pytest.mark.parametrize("query", ["", "?bytes=64", "?ssim=0.6"])
def test_head_says_what_get_would_send(app, url, query):
    get, head = app.get(url + query), app.request("HEAD", url + query)
    assert (head.status_code, head.content) == (200, b"")
    differing = {"x-request-id", "server-timing", "content-digest"}
    assert {k: v for k, v in head.headers.items() if k not in differing} == {
        k: v for k, v in get.headers.items() if k not in differing
    }
    assert head.headers["content-digest"] == sha256(b"")


def test_head_knows_no_range(app, url):
    assert app.request("HEAD", url, headers={"range": "bytes=0-1"}).status_code == 200


def test_with_v_an_answer_is_immutable_and_has_no_timing(app, url, whole):
    v = hashlib.sha256(whole).hexdigest()[:8]
    for query, headers in (("", {}), ("&bytes=64", {}), ("", {"range": "bytes=9-"})):
        answer = app.get(f"{url}?v={v}{query}", **headers)
        assert answer.is_success
        assert answer.headers["cache-control"] == IMMUTABLE
        assert "server-timing" not in answer.headers
    assert "server-timing" in app.get(url).headers


def test_another_v_is_404_and_is_not_kept(app, url):
    answer = app.get(f"{url}?v=00000000")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:prefixel:problem:stream-gone"
    assert answer.headers["cache-control"] == "no-store"


def test_the_urls_of_the_document_lead_here(app, image, whole):
    answer = app.get(image["codecs"][DEFAULT]["urls"]["pxl"])
    assert answer.content == whole
    assert answer.headers["cache-control"] == IMMUTABLE


@pytest.mark.parametrize(
    ("query", "length", "ssim"),
    [
        ("ssim=0", 18, "0.5300"),
        ("ssim=0.53", 18, "0.5300"),
        ("ssim=0.54", 34, "0.5600"),
        ("ssim=0.98", 258, "0.9800"),
        ("ssim=0.99", 258, "0.9800"),
        ("ssim=0.54&bytes=20", 20, "0.5300"),
        ("ssim=0.54&bytes=100", 34, "0.5600"),
        ("ssim=0.54&bytes=10", 10, None),
        ("ssim=0.54&psnr=19", 66, "0.6200"),
    ],
)
def test_a_quality_takes_the_first_level_that_holds(app, url, whole, query, length, ssim):
    answer = app.get(f"{url}?{query}")
    assert answer.content == whole[:length]
    assert answer.headers.get("prefixel-ssim") == ssim


def test_psnr_is_said_where_it_was_asked_for(app, url):
    answer = app.get(f"{url}?psnr=17.5")
    assert answer.headers["prefixel-bytes"] == "50"
    assert answer.headers["prefixel-psnr"] == "18.00"
    assert "prefixel-ssim" not in answer.headers


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("bytes=1", "bytes"),
        ("bytes=0", "bytes"),
        ("bytes=67108865", "bytes"),
        ("bytes=64&bytes=64", "bytes"),
        ("ssim=2", "ssim"),
        ("byte=64", "query"),
        ("size=64", "query"),
    ],
)
def test_a_parameter_out_of_range_is_400_and_named(app, url, query, parameter):
    answer = app.get(f"{url}?{query}")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == parameter
    assert answer.json()["allowed"]


@pytest.mark.parametrize("id", ["a" * 26, "x", "A" * 26, "a" * 27, "%00", "..%2f"])
def test_an_unknown_id_is_404_whatever_it_looks_like(app, id):
    answer = app.get(f"/v1/images/{id}/thumb.pxl?bytes=64")
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"


def test_a_codec_that_was_not_encoded_has_a_problem_of_its_own(app, url):
    answer = app.get(f"{url}?codec=other")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:prefixel:problem:not-encoded"


def test_a_stream_whose_codec_is_no_longer_loaded_is_still_served(app, image, url):
    stream = bytes((9 << 3, 128)) + b"old"
    app.run(app.store.put(Key(image["id"], "old"), stream, b""))
    assert app.get(f"{url}?codec=old").content == stream
    answer = app.get(f"{url}?codec=old&ssim=0.5")  # its levels are not in a form that is known
    assert answer.json()["type"] == "urn:prefixel:problem:stream-gone"


@pytest.mark.parametrize("query", ["", "?bytes=64", "?ssim=0.5"])
def test_a_cache_that_cannot_answer_is_503_and_not_404(app, url, query):
    app.store.is_down = True
    try:
        answer = app.get(url + query)
    finally:
        app.store.is_down = False
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["type"] == "urn:prefixel:problem:cache-unavailable"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(app, url, method):
    answer = app.request(method, url)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_what_was_asked_and_sent_is_measured(app, url):
    def sums():
        text = app.get("/metrics").text.splitlines()
        return [
            float(line.split()[1])
            for line in text
            if line.startswith(("prefixel_budget_bytes_sum", "prefixel_sent_bytes_sum"))
        ]

    before = sums()
    app.get(f"{url}?bytes=1000")
    app.request("HEAD", url)
    after = sums()
    assert [b - a for a, b in zip(before, after, strict=True)] == [1000, 258]
