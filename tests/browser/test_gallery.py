"""The gallery at / in a real browser: photos in, a slider, one request for many, no error."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.support import names, painted_by_server, pixels, upload
from tests.support.server import eventually

MANY = 60
BUDGET = 64
BYTES_SHOWN = "[...document.querySelectorAll('prefixel-img')].map((one) => one.stream.length)"


def slide(page, name, value):
    """Move a slider as a hand would."""
    page.locator(f"#{name}").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


@pytest.fixture(scope="module")
def ids(server, photos):
    """Sixty images that the service keeps."""
    return [upload(server.url, photo["buffer"])["id"] for photo in photos]


def test_photos_are_uploaded_and_the_slider_gives_them_bytes(page, server, photos, screenshots):
    page.goto(server.url + "/")
    page.set_input_files("#files", photos[:8])
    expect(page.locator("#gallery prefixel-img")).to_have_count(8)
    assert page.evaluate(BYTES_SHOWN) == [BUDGET] * 8
    expect(page.locator("#totals")).to_contain_text("8 pictures, 512 bytes")
    # what it took to load, the worker's share too: the weights alone are over 40,000 bytes
    expect(page.locator("#totals")).to_have_text(re.compile(r"\(the kit: 8\d,\d{3} bytes, once\)"))
    slide(page, "bytes", 200)
    assert page.evaluate(BYTES_SHOWN) == [200] * 8
    elements = page.query_selector_all("#gallery prefixel-img")
    for element in elements[:3]:
        image_id = element.get_attribute("data-id")
        expected = painted_by_server(server.url, image_id, 200).astype(int)
        eventually(lambda e=element, x=expected: np.abs(pixels(e)[..., :3] - x).max() <= 1, 30)
    if screenshots:
        page.screenshot(path=screenshots / "gallery.png")


def test_sixty_thumbnails_come_in_one_request_and_the_rest_by_range(page, server, ids, screenshots):
    asked = []
    page.on("request", lambda request: asked.append((request.url, request.headers.get("range"))))
    page.goto(f"{server.url}/#{','.join(ids)}")
    expect(page.locator("#gallery prefixel-img")).to_have_count(MANY)
    expect(page.locator("#totals")).to_contain_text("60 pictures, 3,840 bytes")
    batches = [url for url, _ in asked if "/v1/thumbs" in url]
    assert len(batches) == 1
    assert f"bytes={BUDGET}" in batches[0]
    if screenshots:
        page.wait_for_timeout(500)
        page.screenshot(path=screenshots / "sixty.png", full_page=True)
    assert not [url for url, _ in asked if "/thumb.pxl" in url]
    slide(page, "bytes", 90)
    expect(page.locator("#totals")).to_contain_text("60 pictures, 5,400 bytes")
    slide(page, "bytes", 100)
    expect(page.locator("#totals")).to_contain_text("60 pictures, 6,000 bytes")
    ranges = [wanted for url, wanted in asked if "/thumb.pxl" in url]
    assert ranges == [f"bytes={BUDGET}-"] * MANY


def test_a_narrow_screen_in_the_dark(browser, watched, server, ids, screenshots):
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme="dark", device_scale_factor=2
    )
    page = context.new_page()
    page.goto(f"{server.url}/#{','.join(ids[:12])}")
    expect(page.locator("#gallery prefixel-img")).to_have_count(12)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 25)"
    if screenshots:
        page.wait_for_timeout(500)
        page.screenshot(path=screenshots / "narrow-dark.png")
    context.close()


def test_a_photo_is_compared_with_other_formats(page, server, photos, screenshots):
    page.goto(server.url + "/")
    page.set_input_files("#files", photos[:1])
    page.locator("#gallery button").click()
    expect(page.locator("#comparison li")).to_have_count(7)
    expect(page.locator("#comparison")).to_contain_text("Prefixel")
    slide(page, "detail-bytes", 40)
    expect(page.locator("#comparison")).to_contain_text("40 bytes, whole; SSIM")
    slide(page, "detail-bytes", 128)
    expect(page.locator("#comparison")).to_contain_text("128 bytes, whole; SSIM")
    images = page.locator("#comparison img")
    assert images.count() >= 4
    assert all(name for name in names(page, "image"))
    if screenshots:
        page.screenshot(path=screenshots / "comparison.png")


def test_pictures_that_are_not_there_are_told(page, server, watched):
    page.goto(f"{server.url}/#{'a' * 26}")
    expect(page.locator("#problem")).to_contain_text("1 of 1 pictures")


def test_the_page_fills_as_bytes_come(page, server, ids):
    page.goto(f"{server.url}/#{','.join(ids[:10])}")
    expect(page.locator("#gallery prefixel-img")).to_have_count(10)
    page.wait_for_timeout(300)
    page.select_option("#rate", "500")
    page.check("#slow")
    first = page.evaluate(BYTES_SHOWN)
    assert max(first) < BUDGET
    page.wait_for_timeout(2000)
    assert page.evaluate(BYTES_SHOWN) == [BUDGET] * 10


def test_the_page_is_weighed_against_other_formats(page, server, photos, screenshots):
    page.goto(server.url + "/")
    expect(page.locator("#weigh")).to_be_hidden()
    page.set_input_files("#files", photos[:3])
    expect(page.locator("#gallery prefixel-img")).to_have_count(3)
    page.click("#weigh")
    rows = page.locator("#scales tbody tr")
    expect(rows).to_have_count(3)
    expect(page.locator("#scales caption")).to_have_text("3 photos, ours 192 bytes")
    # whole JPEG files have 600 bytes of headers each
    files = int(rows.nth(2).locator("td").nth(1).inner_text().replace(",", ""))
    assert 3 * 600 < files < 3 * 1500
    assert rows.nth(2).locator("td").nth(2).inner_text().endswith("such pages")
    if screenshots:
        page.screenshot(path=screenshots / "weighed.png")
