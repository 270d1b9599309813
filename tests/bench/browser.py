"""``python -m tests.bench.browser``: the kit in Chromium, in thumbnails, milliseconds and bytes.

    worker      thumbnails a second through the worker, all in one message
    gallery     60 thumbnails, kit in the cache: from the bytes' arrival until all are painted, and
                the longest task of the page's own thread from its start (0: none over 50 ms)
    inline      the same for 60 thumbnails in the page itself (data-stream), from its start
    bytes       kit and streams as sent, beside WebP, AVIF and JPEG files of equal SSIM
    photos      see tests/bench/browser_photos.py; with --photos these alone

Where others use the cores too, a task lasts longer than it computes. A last run of each page is
traced: it tells how long the page's own thread computed in a task at most.

``--weights FILE`` puts other weights in place of the kit's (``python -m tests.kit.cases DIR`` makes
random ones): the time that a network takes does not depend on what it has learned.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from models.export.browser import weights_module
from service.evaluation.baselines.avif import AVIF
from service.evaluation.baselines.base import Baseline
from service.evaluation.baselines.jpeg import JPEG
from service.evaluation.baselines.webp import WEBP
from service.quality.ssim import block_ssim
from tests.bench import browser_photos
from tests.bench.sizes import modules
from tests.bench.traces import largest_task
from tests.browser.conftest import FLAGS
from tests.browser.support import inline, kit_url, serve_page, stream_of, upload
from tests.support.chromium import program
from tests.support.photos import crops, encoded
from tests.support.server import REAL, running_service

PICTURES = 60
MESSAGE = 300
RUNS = 7
PATIENCE_SECONDS = 30.0
WORKER = """
async ([kit, streams, runs]) => {
  const { decodeMany, preload } = await import(`${kit}/index.js`);
  const lists = streams.map((one) => Uint8Array.from(atob(one), (letter) => letter.charCodeAt(0)));
  await preload();
  await decodeMany(lists);
  const took = [];
  for (let n = 0; n < runs; n += 1) {
    const began = performance.now();
    const pictures = await decodeMany(lists);
    took.push(performance.now() - began);
    if (!pictures.every((one) => one.isFinal)) throw new Error("not final");
  }
  return took;
}
"""
WATCH = """
window.arrived = 0;
window.painted = new Map();
window.refined = new Map();
window.longest = 0;
const ask = window.fetch;
window.fetch = async (...asked) => {
  const answer = await ask(...asked);
  if (String(asked[0]).includes("/v1/thumbs")) {
    const body = await answer.clone().arrayBuffer();
    window.arrived = performance.now();
  }
  return answer;
};
document.addEventListener("paint", ({ target, detail }) => {
  if (!window.painted.has(target)) window.painted.set(target, performance.now());
  if (detail.isFinal && !window.refined.has(target)) window.refined.set(target, performance.now());
}, true);
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
}).observe({ type: "longtask", buffered: true });
"""
FOUND = """
() => {
  const seen = (times) => [...times].filter(([element]) => {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  }).map(([, time]) => time);
  return {
    first: Math.max(...painted.values()) - arrived,
    finished: Math.max(...refined.values()) - arrived,
    visible: Math.max(...seen(refined)) - arrived,
    seen: seen(refined).length,
    longest,
  };
}
"""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=64, help="of each stream (%(default)s)")
    parser.add_argument("--photos", action="store_true", help="photos alone")
    parser.add_argument("--weights", type=Path, help="file of weights in place of the kit's")
    return parser.parse_args()


def main() -> None:
    """Measure, and print."""
    options = arguments()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {options.bytes} bytes a stream")
    if not options.photos:
        _thumbnails(options)
    _photos()


def _photos() -> None:
    settings = {"PREFIXEL_CODECS": "prefixel,photo", "PREFIXEL_DEADLINE_SECONDS": 60}
    with running_service(REAL, **settings) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(whole=True), args=FLAGS)
        browser_photos.measure(browser, server.url)
        browser.close()


def _thumbnails(options: argparse.Namespace) -> None:
    photos = crops(PICTURES, seed=21, size_range=(64, 160))
    with running_service(REAL, PREFIXEL_CODECS="prefixel") as server:
        ids = [upload(server.url, encoded("jpeg", photo))["id"] for photo in photos]
        streams = [stream_of(server.url, one)[: options.bytes] for one in ids]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program(whole=True), args=FLAGS)
            print(f"Chromium {browser.version}")
            context = browser.new_context()
            if options.weights:
                _replace_weights(context, weights_module(options.weights.read_bytes()))
            page = context.new_page()
            _worker(page, server.url, streams)
            context.add_init_script(WATCH)
            _page("gallery", browser, context, f"{server.url}/#{','.join(ids)}")
            _page("inline", browser, context, _inline_page(context, server.url, streams))
            browser.close()
        _sizes(server.url, ids, options)


def _replace_weights(context: BrowserContext, module: bytes) -> None:
    context.route(
        "**/weights-*",
        lambda route: route.fulfill(
            content_type="text/javascript",
            headers={"access-control-allow-origin": "*"},
            body=module,
        ),
    )


def _worker(page: Page, server_url: str, streams: Sequence[bytes]) -> None:
    page.goto(server_url + "/livez")
    many = [inline(streams[n % len(streams)]) for n in range(MESSAGE)]
    took = page.evaluate(WORKER, [kit_url(server_url), many, RUNS])
    rates = sorted(MESSAGE / (ms / 1000) for ms in took)
    print(
        f"worker: {statistics.median(rates):.0f} thumbnails/s, {MESSAGE} in a message "
        f"(median of {RUNS}; {rates[0]:.0f} to {rates[-1]:.0f})"
    )


def _inline_page(context: BrowserContext, server_url: str, streams: Sequence[bytes]) -> str:
    """URL of a page of another origin that holds the streams itself."""
    body = "".join(
        f'<prefixel-img data-stream="{inline(one)}" alt=""></prefixel-img>' for one in streams
    )
    style = "<style>prefixel-img { display: inline-block; max-width: 160px }</style>"
    return serve_page(context, style + body, kit_url(server_url))


def _page(name: str, browser: Browser, context: BrowserContext, url: str) -> None:
    """A page of thumbnails, opened again and again; the last time it is traced."""
    found = [_opened(context, url) for _ in range(RUNS + 1)]
    median = {key: statistics.median(one[key] for one in found[1:]) for key in found[0]}
    for title, times in ((f"medians of {RUNS}, kit in the cache", median), ("first", found[0])):
        print(
            f"{name}: {PICTURES} painted after {times['first']:.0f} ms, through the network "
            f"{times['finished']:.0f} ms, the {times['seen']:.0f} in view "
            f"{times['visible']:.0f} ms; longest task {times['longest']:.0f} ms ({title})"
        )
    computed, lasted = largest_task(browser, context, lambda page: _open(page, url))
    print(
        f"{name}: no task computed longer than {computed:.1f} ms; that one lasted {lasted:.1f} ms "
        "(a traced run)"
    )


def _opened(context: BrowserContext, url: str) -> dict[str, float]:
    page = context.new_page()
    _open(page, url)
    times: dict[str, float] = page.evaluate(FOUND)
    page.close()
    return times


def _open(page: Page, url: str) -> None:
    """Go there, and wait until all are painted through the network."""
    page.goto(url)
    due = time.monotonic() + PATIENCE_SECONDS
    while page.evaluate("refined.size") < PICTURES:
        assert time.monotonic() < due, "not all were painted"
        page.wait_for_timeout(50)


def _sizes(server_url: str, ids: Sequence[str], options: argparse.Namespace) -> None:
    kit = _kit_bytes(server_url)
    query = f"ids={','.join(ids)}&bytes={options.bytes}&codec=prefixel"
    body = len(httpx.get(f"{server_url}/v1/thumbs?{query}").raise_for_status().content)
    print(f"bytes: kit {kit}, container of {len(ids)} streams {body}; of equal SSIM:")
    pictures, targets = [], []
    for one in ids:
        document = httpx.get(f"{server_url}/v1/images/{one}").raise_for_status().json()
        levels = document["codecs"]["prefixel"]["levels"]
        targets.append([x["ssim"] for x in levels if x["bytes"] <= options.bytes][-1])
    for photo in crops(PICTURES, seed=21, size_range=(64, 160)):
        with Image.open(BytesIO(encoded("jpeg", photo))) as opened:
            small = opened.convert("RGB").resize((32, 32), Image.Resampling.LANCZOS)
        pictures.append(np.asarray(small))
    for baseline in (WEBP, AVIF[0], AVIF[1], JPEG[1]):
        files, payloads = zip(
            *(_smallest(baseline, p, t) for p, t in zip(pictures, targets, strict=True)),
            strict=True,
        )
        saved = sum(files) - body
        visits = kit / saved if saved > 0 else float("inf")
        print(
            f"  {baseline.title:32} {sum(files):6d} (without headers {sum(payloads):6d}); the kit "
            f"is paid for after {visits:.1f} pages"
        )


def _kit_bytes(server_url: str) -> int:
    """What a first visit loads, compressed as it is sent."""
    return sum(modules(kit_url(server_url), ["element.js", "worker/worker.js"]).values())


def _smallest(
    baseline: Baseline, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], ssim: float
) -> tuple[int, int]:
    """Bytes of the smallest file that reaches an SSIM, and of its payload; else of the best."""
    found = []
    for setting in baseline.settings:
        data = baseline.encode(picture, setting)
        shown = baseline.decode(data, picture.shape[:2])
        reached = float(block_ssim(picture[None], shown[None])[0])
        found.append((reached < ssim, len(data), len(baseline.split(data).payload)))
    _, file_bytes, payload_bytes = min(found)
    return file_bytes, payload_bytes


if __name__ == "__main__":
    main()
