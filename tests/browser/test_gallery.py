"""The page at / in a real browser: a sample that fills, photos in, a slider, other formats."""

from __future__ import annotations

import json
import math
import re
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.support import EVENTS, names, on_canvas, painted_by_server, pixels, upload
from tests.support.photos import encoded, free_photos
from tests.support.server import REAL, eventually, running_service

MANY = 60
BUDGET = 128
SAMPLE_BYTES = 25_249
BYTES_SHOWN = "[...document.querySelectorAll('prefixel-img')].map((one) => one.stream.length)"


@pytest.fixture(scope="module")
def server():
    patient = {"PREFIXEL_DEADLINE_SECONDS": 60}  # of a machine that is busy with other tests
    codecs = "prefixel,photo"
    with running_service(REAL, PREFIXEL_DEMO="true", PREFIXEL_CODECS=codecs, **patient) as started:
        yield started


@pytest.fixture(scope="module")
def ids(server, photos):
    """Sixty images that the service keeps."""
    return [upload(server.url, photo["buffer"])["id"] for photo in photos]


@pytest.fixture
def still(browser, watched):
    """A page that does not move by itself."""
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.on("console", lambda m: m.type == "error" and watched.errors.append(m.text))
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    yield page
    context.close()


LENGTHS = """
window.lengths = [];
new MutationObserver((changes) => {
  for (const { target } of changes) if (target.id === "frame") lengths.push(target.dataset.bytes);
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-bytes"] });
"""
"""How many bytes of the sample were shown, one after the other: the first not for long."""


def slide(page, wanted):
    """Move the slider to about so many bytes, as a hand would; how many it says then."""
    most = int(page.locator("#whole").inner_text().replace(",", ""))
    page.locator("#bytes").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        round(1000 * math.log(wanted / 16) / math.log(most / 16)),
    )
    return int(page.locator("#budget").inner_text().replace(",", ""))


def file(name, body, kind="image/jpeg"):
    return {"name": name, "mimeType": kind, "buffer": body}


def test_the_sample_fills_by_itself_and_nothing_moves(context, page, server, screenshots):
    context.add_init_script(EVENTS + LENGTHS)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + "/")
    expect(page.locator("#play")).to_have_class("playing")
    expect(page.locator("#frame")).not_to_have_attribute("data-bytes", str(BUDGET))
    assert page.evaluate("lengths[0]") == str(BUDGET)
    page.wait_for_timeout(500)  # of the sweep
    assert page.evaluate("shifts") == 0
    page.locator("#bytes").press("End")
    expect(page.locator("#play")).not_to_have_class("playing")
    expect(page.locator("#frame")).to_have_attribute("data-bytes", str(SAMPLE_BYTES))
    stream = httpx.get(f"{server.url}/kit/gallery/samples/chelsea.photo.pxl").content
    answer = httpx.post(f"{server.url}/v1/decode?format=png", content=stream)
    expected = np.asarray(Image.open(BytesIO(answer.content)).convert("RGB")).astype(int)
    found = on_canvas(page.locator("#ours").evaluate("(canvas) => canvas.toDataURL()"))
    assert found.shape == (300, 451, 3)
    assert np.abs(found - expected).max() <= 1
    assert not [url for url in asked if "/v1/images" in url]
    if screenshots:
        page.screenshot(path=screenshots / "opening.png")


def test_without_motion_it_stands_where_faces_can_be_read_and_keys_move_it(still, server):
    still.goto(server.url + "/")
    expect(still.locator("#frame")).to_have_attribute("data-bytes", str(BUDGET))
    still.focus("#bytes")
    still.keyboard.press("End")
    expect(still.locator("#frame")).to_have_attribute("data-bytes", str(SAMPLE_BYTES))
    still.keyboard.press("Home")
    expect(still.locator("#frame")).to_have_attribute("data-bytes", "16")
    assert still.locator("#bytes").get_attribute("aria-valuetext") == "16 bytes of 25,249"
    still.focus("#divider")
    still.keyboard.press("Home")
    frame = still.locator("#frame")
    assert frame.evaluate("(frame) => frame.style.getPropertyValue('--split')") == "0%"
    still.locator("#samples button").nth(1).click()
    expect(still.locator("#ours")).to_have_attribute("aria-label", re.compile("astronaut"))
    assert all(names(still, "button"))
    assert all(names(still, "image"))
    assert all(names(still, "slider"))


def test_photos_stand_in_their_order_once_each_and_every_refusal_is_told(
    still, server, photos, watched, screenshots
):
    watched.allowed.append("415")
    large = encoded("jpeg", Image.fromarray(free_photos()["china"]))
    still.goto(server.url + "/")
    dropped = [file("large.jpg", large), *photos[:3], file("again.jpg", photos[1]["buffer"])]
    broken = [file(name, b"no picture") for name in ("one.txt", "two.txt")]
    still.set_input_files("#files", dropped + broken)
    expect(still.locator("#gallery .actions")).to_have_count(4)
    expect(still.locator("#gallery progress")).to_have_count(0)
    expect(still.locator("#problems li")).to_have_count(2)
    expect(still.locator("#problems")).to_contain_text("one.txt: ")
    expect(still.locator("#problems")).to_contain_text("two.txt: ")
    expect(still.locator("#notice")).to_have_text(re.compile("is on the page already"))
    shown = still.locator("#gallery .name").all_inner_texts()
    assert shown[0] == "large.jpg"
    assert [name for name in shown if name != "again.jpg"] == [
        name for name in ("large.jpg", "photo-0.jpg", "photo-1.jpg", "photo-2.jpg") if name in shown
    ]
    expect(still.locator("#totals")).to_contain_text("4 pictures, 512 bytes")
    # what it took to load, the worker's share too: the weights alone are over 40,000 bytes
    expect(still.locator("#totals")).to_contain_text(re.compile(r"the kit: \d{2,3},\d{3} bytes"))
    bytes_now = slide(still, 200)
    expect(still.locator("#totals")).to_contain_text(f"{4 * bytes_now} bytes")
    for element in still.query_selector_all("#gallery prefixel-img")[:2]:
        id = element.get_attribute("data-id")
        expected = painted_by_server(server.url, id, bytes_now).astype(int)
        eventually(lambda e=element, x=expected: np.abs(pixels(e)[..., :3] - x).max() <= 1, 30)
    frame = still.locator("#frame").bounding_box()
    assert frame["width"] / frame["height"] == pytest.approx(640 / 427, abs=0.01)
    if screenshots:
        still.screenshot(path=screenshots / "gallery.png", full_page=True)


def test_a_picture_gives_its_html_and_can_be_removed(still, server, photos):
    still.context.grant_permissions(["clipboard-read", "clipboard-write"])
    still.goto(server.url + "/")
    still.set_input_files("#files", photos[:2])
    expect(still.locator("#gallery .actions")).to_have_count(2)
    still.get_by_role("button", name="Copy the HTML of photo-1.jpg").click()
    id = still.locator("#gallery prefixel-img").nth(1).get_attribute("data-id")
    expect(still.locator("#gallery small").nth(1)).to_have_text("Copied")
    html = still.evaluate("navigator.clipboard.readText()")
    [source] = re.findall(r'<prefixel-img src="([^"]+)" bytes="128"', html)
    stream = httpx.get(source.replace("&amp;", "&"), params=None)
    assert id in source
    assert stream.status_code == 200
    assert f'src="{server.url}/kit/element.js"' in html
    still.get_by_role("button", name="Remove photo-0.jpg").click()
    expect(still.locator("#gallery li")).to_have_count(1)
    assert still.evaluate("location.hash") == f"#{id}"


def test_sixty_thumbnails_come_in_one_request_and_the_rest_by_range(still, server, ids):
    asked = []
    still.on("request", lambda request: asked.append((request.url, request.headers.get("range"))))
    still.goto(f"{server.url}/#{','.join(ids)}")
    expect(still.locator("#totals")).to_contain_text("60 pictures, 7,680 bytes")
    [batch] = [url for url, _ in asked if "/v1/thumbs" in url]
    assert f"bytes={BUDGET}" in batch
    assert not [url for url, _ in asked if "samples/" in url and url.endswith(".pxl")]
    bytes_now = slide(still, 160)
    expect(still.locator("#totals")).to_contain_text(f"60 pictures, {60 * bytes_now:,} bytes")
    ranges = [wanted for url, wanted in asked if "/thumb.pxl" in url]
    assert ranges == [f"bytes={BUDGET}-"] * MANY


def test_a_narrow_screen_in_the_dark(browser, server, ids, screenshots):
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme="dark", device_scale_factor=2
    )
    page = context.new_page()
    page.goto(f"{server.url}/#{','.join(ids[:12])}")
    expect(page.locator("#totals")).to_contain_text("12 pictures")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 25)"
    if screenshots:
        page.screenshot(path=screenshots / "narrow-dark.png", full_page=True)
    context.close()


def test_other_formats_stand_beside_at_equal_bytes(still, server, screenshots):
    still.goto(server.url + "/")
    still.locator("#comparing").scroll_into_view_if_needed()
    expect(still.locator("#comparison b")).to_have_text(
        ["Original", "Prefixel", "AVIF", "WebP", "JPEG", "BlurHash", "ThumbHash"]
    )
    expect(still.locator("#figures tbody tr").first).to_contain_text("Prefixel128")
    still.locator("#comparison button", has_text="WebP").click()
    expect(still.locator("#theirs-label")).to_have_text(re.compile(r"^WebP · \d+ bytes$"))
    bytes_now = slide(still, 4000)
    rows = still.locator("#figures tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text(f"{bytes_now:,}")
    for title in ("AVIF", "WebP", "JPEG"):
        cells = rows.filter(has_text=title).locator("td").all_inner_texts()
        assert int(cells[0].replace(",", "")) <= bytes_now
        assert 0.3 < float(cells[2]) < 1
    if screenshots:
        still.screenshot(path=screenshots / "comparison.png", full_page=True)


def test_a_token_is_asked_for_sent_and_kept_nowhere(still, server, photos, watched):
    watched.allowed.append("401")
    problem = json.dumps({"detail": "uploads need a token"})
    sent = []

    def answer(route):
        sent.append(route.request.headers.get("authorization"))
        if sent[-1] == "Bearer word":
            route.continue_()
        else:
            route.fulfill(status=401, content_type="application/problem+json", body=problem)

    still.route("**/v1/images?*", answer)
    still.goto(server.url + "/")
    still.set_input_files("#files", photos[:1])
    expect(still.locator("#problems")).to_have_text("photo-0.jpg: uploads need a token")
    expect(still.locator("#token")).to_be_focused()
    still.keyboard.type("word")
    still.set_input_files("#files", photos[:1])
    expect(still.locator("#gallery .actions")).to_have_count(1)
    expect(still.locator("#problems li")).to_have_count(0)
    assert sent == [None, "Bearer word"]
    assert still.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0,
        0,
        "",
    ]


def test_a_photo_of_a_version_that_is_not_known_is_shown_as_its_thumbnail(still, server):
    def newer(route):
        body = bytearray(route.fetch().body())
        body[0] = body[0] & 0xF8 | 7
        route.fulfill(body=bytes(body), content_type="application/vnd.prefixel")

    still.route("**/chelsea.photo.pxl", newer)
    still.goto(server.url + "/")
    expect(still.locator("#frame")).to_have_attribute("data-bytes", str(BUDGET))
    slide(still, 4000)
    expect(still.locator("#problems li")).to_contain_text("the thumbnail is shown")
    expect(still.locator("#whole")).to_have_text("465")
    expect(still.locator("#frame")).to_have_attribute("data-bytes", "465")


def test_pictures_that_are_not_there_are_told_and_a_sample_is_shown(still, server):
    still.goto(f"{server.url}/#{'a' * 26}")
    expect(still.locator("#problems")).to_contain_text("1 of 1 pictures")
    expect(still.locator("#frame")).to_have_attribute("data-bytes", str(BUDGET))
