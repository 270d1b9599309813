"""A query has one spelling; GET and HEAD of another are sent on to it, and lose nothing by it."""

from __future__ import annotations

import contextlib
import itertools
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ParameterError
from service.http.protocol.queries import IDS, known, read_query
from service.http.protocol.resource import Resource
from service.http.protocol.spelling import OtherSpelling, read_spelled, spelled
from service.http.request.signature import signed
from service.http.resources.images import UPLOAD_PARAMETERS
from service.http.resources.rasters import photo_parameters
from tests.support.app import running_app
from tests.support.codec import DEFAULT
from tests.support.photos import encoded

ALL = {**photo_parameters("webp"), **known(IDS), **UPLOAD_PARAMETERS}
del ALL["ids"]
ID = "a" * 26


def canonical(raw: bytes, steps: tuple[int, ...] = ()) -> str:
    try:
        read_spelled(raw, ALL, steps)
    except OtherSpelling as other:
        return other.canonical
    return raw.decode()


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("", ""),
        ("&", ""),
        ("bytes=64", "bytes=64"),
        ("bytes=064", "bytes=64"),
        ("&bytes=64&&", "bytes=64"),
        ("%62ytes=6%34", "bytes=64"),
        ("ssim=.85", "ssim=0.85"),
        ("ssim=00.850", "ssim=0.85"),
        ("ssim=1.", "ssim=1"),
        ("ssim=0.0", "ssim=0"),
        ("ssim=-0", "ssim=0"),
        ("ssim=8.5e-1", "ssim=0.85"),
        ("ssim=8.5e-01&bytes=64", "ssim=0.85&bytes=64"),
        ("ssim=0.85000001", "ssim=0.8501"),  # a quality is met by more
        ("psnr=30.0", "psnr=30"),
        ("psnr=1e2", "psnr=100"),
        ("psnr=30.00001", "psnr=30.0001"),
        ("bpp=0.50", "bpp=0.5"),
        ("bpp=0.49999999", "bpp=0.499999"),  # a budget by less
        ("width=0640&fit=cover&height=400", "width=640&fit=cover&height=400"),
        ("codec=conv%2dlstm", "codec=conv-lstm"),
        ("background=FFfF00&codecs=a,b,a&inline=1", "background=ffff00&codecs=a,b&inline=1"),
    ],
)
def test_each_value_has_one_spelling(raw, wanted):
    assert canonical(raw.encode()) == wanted


def test_the_order_of_parameters_is_free():
    pairs = ("bytes=64", "ssim=0.85", "codec=a", "v=0123abcd")
    for order in itertools.permutations(pairs):
        assert canonical("&".join(order).encode()) == "&".join(order)


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "bytes": st.integers(2, 2**26).map(lambda n: f"{n:0{n % 12}}"),
        "ssim": st.floats(0, 1).map(repr),
        "msssim": st.decimals(0, 1, places=6).map(str),
        "psnr": st.floats(0, 100).map(lambda x: f"{x:.3f}"),
        "bpp": st.floats(0, 32).map(repr),
        "width": st.integers(1, 4096).map(lambda n: f"00{n}"),
    },
)


@given(VALUES)
def test_the_spelling_is_its_own_and_a_quality_is_not_less_nor_a_budget_more(texts):
    raw = "&".join(f"{name}={text}" for name, text in texts.items()).encode()
    with contextlib.suppress(ParameterError):  # more characters than a number may have
        asked = read_query(raw, ALL)
        found = read_spelled(canonical(raw).encode(), ALL)
        assert list(found) == list(asked)
        for name, value in found.items():
            if name in ("ssim", "msssim", "psnr"):
                assert asked[name] <= value <= asked[name] + 1e-4
            elif name == "bpp":
                assert asked[name] - 1e-6 <= value <= asked[name]
            else:
                assert value == asked[name]


@given(st.binary(max_size=40))
def test_any_query_is_spelled_sent_on_or_refused(raw):
    with contextlib.suppress(ParameterError):
        try:
            assert spelled(read_spelled(raw, ALL), ALL).encode() == raw
        except OtherSpelling as other:
            read_spelled(other.canonical.encode(), ALL)


@pytest.fixture(scope="module")
def app():
    with running_app() as running:
        yield running


@pytest.fixture(scope="module")
def image(app):
    return app.upload(encoded("jpeg"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("images/{id}/thumb.pxl?bytes=064", "images/{id}/thumb.pxl?bytes=64"),
        ("images/{id}/thumb.webp?&bytes=64", "images/{id}/thumb.webp?bytes=64"),
        ("thumbs?ids={id}%2C{id}&bytes=64", "thumbs?ids={id},{id}&bytes=64"),
        ("images/{id}?&", "images/{id}"),
        ("codecs?&", "codecs"),
    ],
)
def test_get_and_head_of_another_spelling_are_308_to_it(app, image, method, path, right):
    url, wanted = (f"/v1/{one.format(id=image['id'])}" for one in (path, right))
    answer = app.request(method, url)
    assert answer.status_code == 308
    assert urljoin(url, answer.headers["location"]) == wanted
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert app.request(method, wanted).status_code == 200


def test_an_id_that_none_can_have_is_404_however_the_query_is_spelled(app):
    for path in ("thumb.pxl?bytes=064", "thumb.webp?bytes=064"):
        assert app.get(f"/v1/images/%2F%0D%0A/{path}").status_code == 404
        assert app.get(f"/v1/images/x/{path}").status_code == 404


def test_every_get_resource_of_a_query_sends_other_spellings_on(app):
    """Whichever is added later, too."""
    for route in app.http._transport.app.routes:
        if isinstance(route, Resource) and route.is_public and "GET" in route.operations:
            answer = app.get(route.path.replace("{id}", ID) + "?&")
            assert answer.status_code in (308, 400), route.path  # 400: one is missing


def test_a_post_of_another_spelling_is_answered(app):
    assert app.request("POST", "/v1/encode?bytes=064&", content=encoded("jpeg")).is_success


def test_a_signed_url_of_another_spelling_is_sent_on_with_a_signature_that_holds():
    key = b"secret"
    with running_app(sign_key=key.decode()) as app:
        image = app.upload(encoded("jpeg"))
        path = f"/v1/images/{image['id']}/thumb.webp"
        answer = app.get(f"{path}?{signed(key, path, 'bytes=064')}")
        assert answer.status_code == 308
        url = urljoin(path, answer.headers["location"])
        assert url.startswith(f"{path}?bytes=64&signature=")
        assert app.get(url).status_code == 200
        assert app.get(f"{path}?bytes=064&signature={'A' * 22}").status_code == 403


def test_with_steps_a_budget_is_sent_on_to_the_one_below_it():
    with running_app(bytes_steps=(256, 32, 64)) as app:
        image = app.upload(encoded("jpeg"))
        url = f"/v1/images/{image['id']}/thumb.pxl"
        for asked, step in (("33", "32"), ("63", "32"), ("100", "64"), ("99999", "256")):
            for path in (url, url.replace("pxl", "webp"), "/v1/thumbs"):
                ids = f"ids={image['id']}&" if path == "/v1/thumbs" else ""
                answer = app.get(f"{path}?{ids}bytes={asked}")
                assert answer.status_code == 308
                assert answer.headers["location"].endswith(f"?{ids}bytes={step}")
        for step in ("32", "64", "256"):
            answer = app.get(f"{url}?bytes={step}")
            assert answer.status_code == 200
            assert len(answer.content) <= int(step)
        below = app.get(f"{url}?bytes=31")
        assert (below.status_code, below.json()["allowed"]) == (400, "32 or more")
        assert app.get(url).status_code == 200
        assert app.get(f"{url}?codec={DEFAULT}").status_code == 200


def test_every_url_of_a_document_has_its_one_spelling(app, image):
    urls = [value for value in _strings(image) if value.startswith("/v1/")]
    assert len(urls) >= 4
    for url in urls:
        assert app.get(url).status_code == 200, url
        assert urlsplit(url).query or "?" not in url


def _strings(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    return [value] if isinstance(value, str) else []
