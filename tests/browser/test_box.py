"""The element's box beside that of an <img> of the same photo: shape, fit, position, attributes."""

from __future__ import annotations

import itertools
from base64 import b64encode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.export.browser import KIT
from tests.browser.bundled import golden_stream
from tests.browser.support import EVENTS, inline, told
from tests.support.npm import served

THREE_TO_TWO = 78
"""Of the header: 2 ** ((78 - 64) / 24) is 1.498."""
WIDTH, HEIGHT = 150, 100
FITS = ("fill", "contain", "cover", "none", "scale-down")
POSITIONS = ("50% 50%", "0% 100%", "right 10px top 20%")
BOXES = ((120, 120), (200, 60), (60, 170))


@pytest.fixture(scope="module")
def stream():
    """A stream of a photo of 3:2."""
    given = bytearray(golden_stream()[0])
    given[1] = THREE_TO_TWO << 1
    return bytes(given)


@pytest.fixture(scope="module")
def photo():
    """The very picture that the stream paints, at the photo's size: PNG."""
    small = Image.fromarray(golden_stream()[1].astype(np.uint8))
    file = BytesIO()
    small.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR).save(file, "png")
    return file.getvalue()


@pytest.fixture
def opened(context, page, photo):
    """Opens a page with a body; requests for photos are answered, and noted."""
    asked = []

    def answer(route):
        asked.append(route.request.url.rpartition("/")[2])
        route.fulfill(content_type="image/png", body=photo)

    context.add_init_script(EVENTS)
    with served(KIT) as url:
        context.route("**/photo*", answer)

        def open_page(body):
            html = (
                '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>'
                '<link rel="icon" href="data:,"><script type="module" src="/element.js"></script>'
                f"<style>body {{ margin: 0 }} p {{ margin: 0 }}</style><body>{body}</html>"
            )
            context.route(
                f"{url}/", lambda route: route.fulfill(content_type="text/html", body=html)
            )
            page.goto(f"{url}/")
            return asked

        yield open_page
        page.goto("about:blank")


def shown(page, locator):
    """What is on the screen where an element is: int [H, W, 3]."""
    with Image.open(BytesIO(page.locator(locator).screenshot())) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def difference(one, other):
    return np.abs(one - other).mean()


@pytest.mark.parametrize("box", BOXES, ids=lambda box: "x".join(map(str, box)))
def test_object_fit_and_position_act_as_on_an_img(opened, page, stream, photo, box):
    cases = list(itertools.product(FITS, POSITIONS))
    source = "data:image/png;base64," + b64encode(photo).decode()
    rows = []
    for n, (fit, position) in enumerate(cases):
        style = (
            f"display: inline-block; width: {box[0]}px; height: {box[1]}px; background: #0f0;"
            f" object-fit: {fit}; object-position: {position}"
        )
        rows.append(
            f'<p style="height: {box[1] + 4}px"><img id="i{n}" src="{source}" style="{style}">'
        )
        rows.append(
            f'<prefixel-img id="p{n}" data-stream="{inline(stream)}" width="{WIDTH}"'
            f' height="{HEIGHT}" style="{style}"></prefixel-img></p>'
        )
    opened("".join(rows))
    page.wait_for_function(
        f"told.filter(({{ detail }}) => detail?.isFinal).length === {len(cases)}"
    )
    with Image.open(BytesIO(page.screenshot(full_page=True))) as picture:
        screen = np.asarray(picture.convert("RGB")).astype(int)
    width, height = box
    lines = [screen[n * (height + 4) :][:height] for n in range(len(cases))]
    images = [line[:, :width] for line in lines]
    ours = [line[:, width : 2 * width] for line in lines]
    for case, image, own in zip(cases, images, ours, strict=True):
        assert difference(image, own) < 2.5, case
    # a picture in another place would be seen
    fits = [images[n * len(POSITIONS)] for n in range(3)]
    assert min(difference(*pair) for pair in itertools.combinations(fits, 2)) > 10


def test_a_rule_that_comes_later_moves_the_picture(opened, page, stream):
    opened(
        "<style>prefixel-img { width: 100px; height: 100px }"
        ".covered prefixel-img { object-fit: cover; object-position: 0 0 }</style>"
        f'<prefixel-img data-stream="{inline(stream)}"></prefixel-img>'
    )
    told(page, "paint")
    width = (
        "document.querySelector('prefixel-img').shadowRoot.querySelector('canvas')"
        ".getBoundingClientRect().width"
    )
    assert page.evaluate(width) == pytest.approx(100, abs=0.1)
    page.evaluate("document.body.className = 'covered'")
    page.wait_for_function(f"{width} > 149")
    page.evaluate("document.body.className = ''")
    page.wait_for_function(f"{width} < 101")


def test_nothing_jumps_when_the_photo_fades_in(opened, page, stream):
    opened(
        "<style>prefixel-img { width: 120px; height: 120px; object-fit: cover }</style>"
        f'<prefixel-img data-stream="{inline(stream)}"></prefixel-img>'
    )
    page.wait_for_function("told.some(({ detail }) => detail?.isFinal)")
    before = shown(page, "prefixel-img")
    page.evaluate("document.querySelector('prefixel-img').setAttribute('image', '/photo.png')")
    told(page, "load")
    page.wait_for_timeout(600)
    assert difference(before, shown(page, "prefixel-img")) < 2.5


def test_width_and_height_are_the_box_and_styles_go_before(opened, page):
    opened(
        '<div style="width: 500px"><prefixel-img id="a" width="300" height="200"></prefixel-img>'
        '<prefixel-img id="b" width="900" height="600"></prefixel-img>'
        '<prefixel-img id="c" width="300" height="200" style="width: 90px"></prefixel-img></div>'
    )
    page.wait_for_function("Boolean(customElements.get('prefixel-img'))")
    boxes = [page.locator(f"#{name}").bounding_box() for name in "abc"]
    sizes = [(box["width"], box["height"]) for box in boxes]
    assert sizes == [(300, 200), (500, pytest.approx(500 / 1.5, abs=0.1)), (90, 60)]


def test_nothing_below_the_fold_is_fetched_until_it_is_seen(opened, page, stream):
    asked = opened(
        '<prefixel-img id="above" loading="lazy" image="/photo-1.png" width="150" height="100">'
        '</prefixel-img><p style="height: 1500px"></p>'
        '<prefixel-img id="below" loading="lazy" src="/photo.pxl" image="/photo-2.png" width="150"'
        ' height="100"></prefixel-img>'
    )
    told(page, "load")
    page.wait_for_timeout(300)
    assert asked == ["photo-1.png"]
    page.locator("#below").scroll_into_view_if_needed()
    told(page, "load", 2)
    assert sorted(asked) == ["photo-1.png", "photo-2.png", "photo.pxl"]


def test_the_full_picture_has_the_attributes_of_an_img(opened, page, stream):
    asked = opened(
        f'<prefixel-img data-stream="{inline(stream)}" image="/photo-0.png" width="150"'
        ' height="100" srcset="/photo-1.png 150w, /photo-9.png 2000w" sizes="100px" decoding="sync"'
        ' fetchpriority="high"></prefixel-img>'
    )
    told(page, "load")
    assert asked == ["photo-1.png"]
    image = page.locator("prefixel-img img.full")
    assert image.evaluate("(one) => [one.decoding, one.fetchPriority]") == ["sync", "high"]


def test_a_box_without_a_picture_shows_the_alternative_text(opened, page, watched):
    watched.allowed.append("404")
    opened('<prefixel-img src="/none.pxl" image="/none.png" alt="A cat" width="300" height="200">')
    told(page, "error", 2)
    text = page.locator("prefixel-img .alt")
    assert text.is_visible()
    assert text.inner_text() == "A cat"


def test_nothing_shifts_in_the_page_of_the_documentation(opened, page, stream):
    """The element has its box from its style before any script runs."""
    opened(
        '<prefixel-img src="/photo.pxl" width="300" height="200" alt="A photo" image="/photo.png"'
        ' style="display: block; aspect-ratio: 3/2; max-width: 300px"></prefixel-img><p>below</p>'
    )
    told(page, "load")
    page.wait_for_timeout(500)
    assert page.evaluate("shifts") == 0
