"""Pages for tests of the kit, and what is on their canvases."""

from __future__ import annotations

import base64
import re
from functools import cache
from io import BytesIO
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import BrowserContext, ElementHandle, Page, Route

ELSEWHERE = "http://elsewhere.test"
PIXELS = """
(element) => {
  const canvas = element.shadowRoot.querySelector("canvas");
  return [...canvas.getContext("2d").getImageData(0, 0, 32, 32).data];
}
"""
SHOWN = "(element) => element.shadowRoot.querySelector('canvas').toDataURL('image/png')"
EVENTS = """
window.told = [];
for (const kind of ["paint", "load", "error"]) {
  document.addEventListener(kind, (event) => {
    const { target, detail, message } = event;
    if (target.localName === "prefixel-img") told.push({ kind, id: target.id, detail, message });
  }, true);
}
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
"""Keeps what elements tell, from before the first of them is there; events that do not bubble are
captured on their way."""


@cache
def kit_url(server_url: str) -> str:
    """URL of the kit's release."""
    found = re.search(r'src="(kit/[0-9a-f]{12})/', httpx.get(server_url + "/").text)
    assert found
    return f"{server_url}/{found[1]}"


def serve_page(context: BrowserContext, body: str, kit: str, head: str = "") -> str:
    """Let ``ELSEWHERE`` answer with a page that loads the element from the kit; its URL."""
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>'
        '<link rel="icon" href="data:,">'
        f"{head}<style>prefixel-img, img {{ width: 320px }}</style>"
        f'<script type="module" blocking="render" src="{kit}/element.js"></script>{body}</html>'
    )
    context.add_init_script(EVENTS)

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html; charset=utf-8", body=html)

    context.route(f"{ELSEWHERE}/", answer)
    return f"{ELSEWHERE}/"


def told(page: Page, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """At least ``count`` events of a kind, waited for."""
    page.wait_for_function(
        "([kind, count]) => told.filter((one) => one.kind === kind).length >= count",
        arg=[kind, count],
    )
    found: list[dict[str, Any]] = page.evaluate(f"told.filter((one) => one.kind === '{kind}')")
    return found


def names(page: Page, role: str) -> list[str]:
    """Names of everything that has a role in the accessibility tree, as the browser makes it."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return [
        node["name"]["value"]
        for node in nodes
        if not node["ignored"] and node["role"]["value"] == role
    ]


def pixels(element: ElementHandle) -> NDArray[np.uint8]:
    """What an element's canvas shows: uint8 [32, 32, 4]."""
    return np.array(element.evaluate(PIXELS), np.uint8).reshape(32, 32, 4)


def shown(page: Page, selector: str = "prefixel-img") -> NDArray[np.int64]:
    """What an element's canvas shows, whatever its size: int [H, W, 3]."""
    return on_canvas(page.locator(selector).evaluate(SHOWN))


def on_canvas(data_url: str) -> NDArray[np.int64]:
    """A canvas' PNG, of which every pixel is opaque: int [H, W, 3]."""
    png = data_url.partition(",")[2]
    picture = np.asarray(Image.open(BytesIO(base64.b64decode(png))).convert("RGBA"))
    assert (picture[..., 3] == 255).all()
    return picture[..., :3].astype(np.int64)


def painted_by_server(server_url: str, image_id: str, budget_bytes: int) -> NDArray[np.uint8]:
    """The same prefix as the service paints it: uint8 [32, 32, 3]."""
    stream = stream_of(server_url, image_id)[:budget_bytes]
    answer = httpx.post(f"{server_url}/v1/decode?format=png", content=stream).raise_for_status()
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGB"))


def stream_of(server_url: str, image_id: str) -> bytes:
    """The whole stream of an image."""
    url = f"{server_url}/v1/images/{image_id}/thumb.pxl?codec=prefixel"
    return httpx.get(url).raise_for_status().content


def upload(server_url: str, photo: bytes) -> dict[str, Any]:
    """The document of an uploaded photo."""
    url = f"{server_url}/v1/images?codecs=prefixel"
    document: dict[str, Any] = httpx.post(url, content=photo).raise_for_status().json()
    return document


def inline(stream: bytes) -> str:
    """A stream for ``data-stream``."""
    return base64.b64encode(stream).decode()
