"""<prefixel-img> in a real browser, on a page of another origin than the kit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.export.browser import ARTIFACT, pack, read_synthesis, weights_module
from tests.browser.support import (
    inline,
    kit_url,
    names,
    painted_by_server,
    pixels,
    serve_page,
    stream_of,
    told,
    upload,
)
from tests.support.server import eventually

BUDGET = 64


@pytest.fixture(scope="module")
def image(server, photos):
    """The document of a photo that the service keeps."""
    return upload(server.url, photos[2]["buffer"])


@pytest.fixture(scope="module")
def stream(server, image):
    return stream_of(server.url, image["id"])


@pytest.fixture(scope="module")
def kit(server):
    return kit_url(server.url)


@pytest.fixture
def source(server, image):
    """URL of the whole stream, by its v."""
    return server.url + image["codecs"]["prefixel"]["urls"]["pxl"]


def test_a_worker_of_another_origin_paints_what_the_service_paints(
    context, page, server, kit, image, source
):
    page.goto(serve_page(context, f'<prefixel-img src="{source}" bytes="{BUDGET}">', kit))
    assert told(page, "paint")[0]["detail"]["bytes"] == BUDGET
    page.wait_for_function("told.some((one) => one.detail?.isFinal)")
    [element] = page.query_selector_all("prefixel-img")
    found = pixels(element)
    expected = painted_by_server(server.url, image["id"], BUDGET)
    assert np.abs(found[..., :3].astype(int) - expected).max() <= 1
    assert (found[..., 3] == 255).all()
    assert [worker.url.startswith("blob:http://elsewhere.test/") for worker in page.workers] == [
        True
    ]


def test_the_rest_of_a_stream_is_fetched_by_range_and_only_once(
    context, page, server, kit, image, source, stream
):
    asked = []
    context.on("request", lambda r: "thumb.pxl" in r.url and asked.append(r.headers.get("range")))
    page.goto(serve_page(context, f'<prefixel-img src="{source}" bytes="{BUDGET}">', kit))
    told(page, "paint")
    here = page.evaluate("document.querySelector('prefixel-img').refine()")
    assert here == len(stream)
    assert page.evaluate("document.querySelector('prefixel-img').refine()") == here
    page.wait_for_function(
        f"told.some(({{ detail }}) => detail?.bytes === {here} && detail.isFinal)"
    )
    assert asked == [f"bytes=0-{BUDGET - 1}", f"bytes={BUDGET}-"]
    assert page.evaluate("[...document.querySelector('prefixel-img').stream]") == list(stream)
    [element] = page.query_selector_all("prefixel-img")
    expected = painted_by_server(server.url, image["id"], here)
    assert np.abs(pixels(element)[..., :3].astype(int) - expected).max() <= 1


def test_bytes_of_two_encodings_never_mix(context, page, kit, stream):
    """Without ``?v=`` the ETag decides: the second answer is another stream, whole."""
    other = bytes([stream[0], stream[1]]) + bytes(range(100))
    conditions = []

    def answer(route):
        wanted = route.request.headers
        conditions.append(wanted.get("if-range"))
        headers = {
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "*",
            "access-control-allow-headers": "range, if-range",
        }
        if len(conditions) == 1:
            span = f"bytes 0-{BUDGET - 1}/{len(stream)}"
            headers |= {"etag": '"first"', "content-range": span}
            route.fulfill(status=206, headers=headers, body=stream[:BUDGET])
        else:
            route.fulfill(status=200, headers=headers | {"etag": '"second"'}, body=other)

    context.route("http://elsewhere.test/thumb.pxl", answer)
    page.goto(serve_page(context, '<prefixel-img src="/thumb.pxl" bytes="64"></prefixel-img>', kit))
    told(page, "paint")
    assert page.evaluate("document.querySelector('prefixel-img').refine()") == len(other)
    assert conditions == [None, '"first"']
    assert page.evaluate("[...document.querySelector('prefixel-img').stream]") == list(other)


def test_an_inline_stream_is_painted_before_any_fetch_ends_and_nothing_shifts(
    context, page, kit, stream
):
    for pattern in ("**/worker.js", "**/weights-*"):
        context.route(pattern, lambda route: None)  # they never come
    body = (
        "<p>above</p>"
        f'<prefixel-img data-stream="{inline(stream[:BUDGET])}" alt="A photo"></prefixel-img>'
        "<p>below</p>"
    )
    page.goto(serve_page(context, body, kit), wait_until="commit")
    told(page, "paint")
    height = page.evaluate("document.querySelector('prefixel-img').getBoundingClientRect().height")
    code = stream[1] >> 1
    assert height == pytest.approx(320 / 2 ** ((code - 64) / 24), abs=1)
    page.wait_for_timeout(500)
    assert page.evaluate("shifts") == 0


def test_many_inline_streams_are_painted_here_and_in_the_worker(
    context, page, server, kit, image, stream
):
    """More than one turn of the page's thread and one message take; the network refines all."""
    budgets = [BUDGET + n for n in range(100)]
    body = "".join(
        f'<prefixel-img data-stream="{inline(stream[:n])}"></prefixel-img>' for n in budgets
    )
    page.goto(serve_page(context, body, kit))
    page.wait_for_function("told.filter(({ detail }) => detail.isFinal).length === 100")
    paints = told(page, "paint", 2 * len(budgets))
    for is_final in (False, True):
        shown = [one["detail"]["bytes"] for one in paints if one["detail"]["isFinal"] == is_final]
        assert sorted(shown) == budgets
    elements = page.query_selector_all("prefixel-img")
    for n in (0, 99):
        expected = painted_by_server(server.url, image["id"], budgets[n]).astype(int)
        assert np.abs(pixels(elements[n])[..., :3] - expected).max() <= 1


def test_the_closed_form_comes_first_and_the_network_refines_it(
    context, page, kit, stream, other_weights
):
    """With another network in place of the kit's own."""
    context.route(
        "**/weights-*",
        lambda route: route.fulfill(
            content_type="text/javascript",
            headers={"access-control-allow-origin": "*"},
            body=other_weights,
        ),
    )
    page.goto(serve_page(context, f'<prefixel-img data-stream="{inline(stream)}">', kit))
    finals = [one["detail"]["isFinal"] for one in told(page, "paint", 2)]
    assert finals == [False, True]


@pytest.fixture
def other_weights():
    """A file of weights as the kit reads it: the shipped ones, the last convolution negated."""
    network = read_synthesis(ARTIFACT / "synthesis.onnx")
    *inner, last = network.layers
    kernel = replace(last.kernel, whole=-last.kernel.whole)
    return weights_module(pack(replace(network, layers=[*inner, replace(last, kernel=kernel)])))


@pytest.mark.parametrize(
    "damage",
    ["", "!!", inline(b"\x08\x80" + bytes(40)), inline(b"\x10\x81"), inline(bytes(5000))],
    ids=["empty", "no base64", "other codec", "reserved bit", "no stream"],
)
def test_a_bad_stream_gives_an_error_and_the_fallback(context, page, kit, photos, damage):
    photo = inline(photos[0]["buffer"])
    body = (
        f'<prefixel-img data-stream="{damage}" alt="A photo">'
        f'<noscript><img alt="" src="data:image/jpeg;base64,{photo}"></noscript></prefixel-img>'
    )
    page.goto(serve_page(context, body, kit))
    if damage:
        assert told(page, "error")[0]["message"]
        assert page.locator("prefixel-img img[src^=data]").is_visible()
    else:
        assert page.evaluate("told") == []


def test_a_stream_that_is_gone_is_told(context, page, server, kit, image, watched):
    watched.allowed.append("404")
    url = f"{server.url}/v1/images/{image['id']}/thumb.pxl?codec=prefixel&v=00000000"
    page.goto(serve_page(context, f'<prefixel-img src="{url}">', kit))
    assert "gone" in told(page, "error")[0]["message"]


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_full_picture_fades_in_unless_motion_is_unwanted(
    context, page, kit, stream, photos, motion
):
    page.emulate_media(reduced_motion=motion)
    context.route(
        "http://elsewhere.test/photo.jpg",
        lambda route: route.fulfill(content_type="image/jpeg", body=photos[2]["buffer"]),
    )
    body = f'<prefixel-img data-stream="{inline(stream)}" image="/photo.jpg" alt="A photo">'
    page.goto(serve_page(context, body, kit))
    told(page, "load")
    style = (
        "getComputedStyle(document.querySelector('prefixel-img').shadowRoot.querySelector('img'))"
    )
    assert page.evaluate(f"{style}.transitionDuration") == ("0s" if motion == "reduce" else "0.4s")
    page.wait_for_function(f"{style}.opacity === '1'")


def test_it_has_the_name_of_its_alternative_text(context, page, kit, stream):
    body = (
        f'<prefixel-img id="a" data-stream="{inline(stream)}" alt="A cat"></prefixel-img>'
        f'<prefixel-img id="b" data-stream="{inline(stream)}" alt=""></prefixel-img>'
    )
    page.goto(serve_page(context, body, kit))
    told(page, "paint", 2)
    assert names(page, "image") == ["A cat"]
    page.evaluate("document.getElementById('a').setAttribute('alt', 'A dog')")
    assert names(page, "image") == ["A dog"]


def test_without_scripts_the_picture_of_noscript_is_shown(browser, kit, photos):
    context = browser.new_context(java_script_enabled=False)
    photo = inline(photos[0]["buffer"])
    body = (
        '<prefixel-img alt="A photo"><noscript>'
        f'<img alt="A photo" src="data:image/jpeg;base64,{photo}"></noscript></prefixel-img>'
    )
    page = context.new_page()
    page.goto(serve_page(context, body, kit))
    assert page.locator("img").is_visible()
    context.close()


def test_where_no_worker_may_run_the_page_decodes_itself(
    context, page, server, kit, image, source, watched
):
    watched.allowed.append("Content Security Policy")
    policy = f"script-src {server.url} 'unsafe-inline'; worker-src 'none'"
    body = (
        f'<meta http-equiv="content-security-policy" content="{policy}">'
        f'<prefixel-img src="{source}" bytes="{BUDGET}">'
    )
    page.goto(serve_page(context, body, kit))
    eventually(lambda: page.evaluate("told.some((one) => one.detail?.isFinal)"), 30)
    assert page.workers == []
