"""Photos in Chromium, for ``python -m tests.bench.browser``: milliseconds and bytes.

decoding    a photo of a megapixel at 0.5 bits a pixel in the worker: all of its pixels, and a
            quarter of each side
page        12 such photos in boxes of 400 pixels, kit in the cache: from the last answer's
            first bytes until all have a picture, until all bytes are painted; the longest task
            of the page's own thread; layout shifts; errors on the console. Playwright's routes
            would turn the cache off and ask it about each request, so the page alone is given;
            nobody looks at it before it is painted
service     the same photo painted by the service instead: milliseconds and bytes of WebP, AVIF
bytes       what is loaded for photos beside the rest of the kit, as it is sent
"""

from __future__ import annotations

import base64
import itertools
import re
import statistics
import time
from functools import partial
from io import BytesIO
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from tests.bench.sizes import modules
from tests.bench.traces import largest_task
from tests.browser.support import EVENTS, inline, kit_url
from tests.support.photos import free_photos

SIDES = (854, 1280)
COUNT = 12
RUNS = 7
BITS_A_PIXEL = 0.5
BOX = 400
PATIENCE_MS = 60_000
REST_MS = 200
UNSEEN_MS = 1500
"""A new window and its page before; the page until somebody asks it how far it is."""
HTML = {"name": "content-type", "value": "text/html"}
DECODE = """
async ([kit, stream, runs, size]) => {
  const { decode } = await import(`${kit}/index.js`);
  const bytes = Uint8Array.from(atob(stream), (letter) => letter.charCodeAt(0));
  const took = [];
  for (let n = 0; n <= runs; n += 1) {
    const began = performance.now();
    await decode(bytes, { size });
    took.push(performance.now() - began);
  }
  return took;
}
"""
WATCH = """
window.first = new Map();
window.ended = new Map();
window.longest = 0;
document.addEventListener("paint", ({ target }) => {
  if (!window.first.has(target)) window.first.set(target, performance.now());
}, true);
document.addEventListener("load", ({ target }) => {
  if (target.localName === "prefixel-img") window.ended.set(target, performance.now());
}, true);
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
}).observe({ type: "longtask", buffered: true });
"""
FOUND = """
() => {
  const answers = performance.getEntriesByType("resource").filter(({ name }) => {
    return name.includes("photo.pxl");
  });
  const begun = new Map(answers.toReversed().map((one) => [one.name, one.responseStart]));
  const last = Math.max(...begun.values());
  const waits = [...first].map(([{ src }, time]) => time - begun.get(new URL(src, location).href));
  return {
    first: Math.max(...first.values()) - last,
    one: waits.sort((a, b) => a - b)[waits.length >> 1],
    all: Math.max(...ended.values()) - Math.max(...answers.map((one) => one.responseEnd)),
    start: last,
    longest,
    shifts,
  };
}
"""


def mosaics(count: int) -> list[NDArray[np.uint8]]:
    """Different pictures of four photos each: uint8 [854, 1280, 3], 1.09 megapixels."""
    height, width = SIDES[0] // 2, SIDES[1] // 2
    parts = []
    for photo in free_photos().values():
        cut = photo[:height, :width]
        missing = ((0, height - cut.shape[0]), (0, width - cut.shape[1]), (0, 0))
        parts.append(np.pad(cut, missing, mode="reflect"))
    made = []
    for a, b, c, d in itertools.islice(itertools.permutations(parts, 4), 0, 60 * count, 60):
        made.append(np.vstack((np.hstack((a, b)), np.hstack((c, d)))))
    return made


def measure(browser: Browser, server_url: str) -> None:
    """Print the figures of photos; the service has the codec ``photo``."""
    sources = []
    for picture in mosaics(COUNT):
        body = BytesIO()
        Image.fromarray(picture).save(body, "JPEG", quality=92)
        answer = httpx.post(
            f"{server_url}/v1/images?codecs=photo", content=body.getvalue(), timeout=60
        )
        sources.append(
            server_url + answer.raise_for_status().json()["codecs"]["photo"]["urls"]["pxl"]
        )
    stream = httpx.get(sources[0]).raise_for_status().content
    half = stream[: int(SIDES[0] * SIDES[1] * BITS_A_PIXEL / 8)]
    context = browser.new_context()
    page = context.new_page()
    page.goto(server_url + "/livez")
    for title, size in (("all pixels", SIDES[1]), ("a quarter of each side", SIDES[1] // 4)):
        took = page.evaluate(DECODE, [kit_url(server_url), inline(half), RUNS, size])
        print(
            f"photos: {SIDES[0] * SIDES[1] / 1e6:.2f} megapixels, {len(half)} bytes: {title} in "
            f"{statistics.median(took[1:]):.0f} ms (median of {RUNS}; first {took[0]:.0f} ms)"
        )
    for title, attributes in (
        (f"{BITS_A_PIXEL} bits a pixel", f'bpp="{BITS_A_PIXEL}"'),
        (f"whole streams, about {len(stream)} bytes", ""),
    ):
        opened = _page(context, server_url, sources, title, attributes)
        computed, lasted = largest_task(browser, context, partial(_open, opened=opened))
        print(
            f"photos: page of {COUNT}, {title}: no task computed longer than {computed:.1f} ms; "
            f"that one lasted {lasted:.1f} ms (a traced run)"
        )
    _service(sources[0], len(half))
    for words, size in _bytes(server_url).items():
        print(f"photos: {size} bytes {words}, gzipped")


def _page(
    context: BrowserContext, server_url: str, sources: list[str], title: str, attributes: str
) -> tuple[str, str]:
    """Open it again and again; its URL and text."""
    photos = "".join(
        f'<prefixel-img src="{source}" {attributes} width="{BOX}" height="{BOX * 854 // 1280}"'
        ' alt=""></prefixel-img>'
        for source in sources
    )
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Photos</title>'
        '<link rel="icon" href="data:,"><style>prefixel-img { display: inline-block }</style>'
        f'<script type="module" blocking="render" src="{kit_url(server_url)}/element.js"></script>'
        f"{photos}</html>"
    )
    url = f"{server_url}/page-of-photos"
    found = [_opened(context, url, html) for _ in range(RUNS + 1)]
    for words, times in (
        (f"medians of {RUNS}, kit in the cache", _medians(found[1:])),
        ("first visit", found[0]),
    ):
        print(
            f"photos: page of {COUNT}, {title}: all have a picture {times['first']:.0f} ms after "
            f"the last answer began (each after {times['one']:.0f} ms), all is painted "
            f"{times['all']:.0f} ms after the last byte; longest task {times['longest']:.0f} ms, "
            f"layout shift {times['shifts']:.4f}, errors {times['errors']:.0f} ({words})"
        )
    return url, html


def _medians(found: list[dict[str, Any]]) -> dict[str, float]:
    return {key: statistics.median(one[key] for one in found) for key in found[0]}


def _opened(context: BrowserContext, url: str, html: str) -> dict[str, Any]:
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    _open(page, (url, html))
    found: dict[str, Any] = page.evaluate(FOUND) | {"errors": len(errors)}
    page.close()
    return found


def _open(page: Page, opened: tuple[str, str]) -> None:
    url, html = opened
    body = base64.b64encode(html.encode()).decode()
    answer = {"responseCode": 200, "responseHeaders": [HTML], "body": body}
    session = page.context.new_cdp_session(page)
    session.on(
        "Fetch.requestPaused",
        lambda asked: session.send(
            "Fetch.fulfillRequest", {"requestId": asked["requestId"], **answer}
        ),
    )
    session.send("Fetch.enable", {"patterns": [{"urlPattern": url}]})
    page.add_init_script(EVENTS)
    page.add_init_script(WATCH)
    page.wait_for_timeout(REST_MS)
    page.goto(url, wait_until="commit")
    page.wait_for_timeout(UNSEEN_MS)
    page.wait_for_function(f"ended.size === {COUNT}", timeout=PATIENCE_MS)


def _service(source: str, length: int) -> None:
    """What the element takes in place of a stream; each painted for the first time."""
    for output in ("webp", "avif"):
        url = source.replace("photo.pxl", f"photo.{output}")
        took, sizes = [], []
        for n in range(RUNS):
            began = time.perf_counter()
            answer = httpx.get(f"{url}&bytes={length - n}&width=1280").raise_for_status()
            took.append(1000 * (time.perf_counter() - began))
            sizes.append(len(answer.content))
        print(
            f"photos: painted by the service as photo.{output} in {statistics.median(took):.0f} "
            f"ms, {statistics.median(sizes):.0f} bytes (stream {length} bytes)"
        )


def _bytes(server_url: str) -> dict[str, int]:
    """What the first photo loads, and thumbnails do not; and then its network."""
    base = kit_url(server_url)
    before = modules(base, ["element.js", "worker/worker.js"])
    named = httpx.get(f"{base}/photo/versions.js").text
    tables = re.findall(r'networkTables: .*import\("\./([^"]+)"', named)[-1]
    weights = re.findall(r'weights: .*import\("\./([^"]+)"', named)[-1]
    at_once = modules(base, ["element/photo.js", "worker/photo-worker.js"], later=tables)
    network = modules(base, [f"photo/{weights}", "photo/network_kernel.js"], later="^$")
    return {
        "are loaded for them": sum(at_once[name] for name in at_once.keys() - before.keys()),
        "and then for the network": sum(network.values()),
    }
