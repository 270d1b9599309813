"""Photos in <prefixel-img>: one answer that paints as it comes, steps by Range, other ways."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.browser.support import inline, kit_url, serve_page, shown, told
from tests.support.photos import encoded, free_photos
from tests.support.server import REAL, running_service

VECTORS = Path(__file__).parents[1] / "vectors" / "photo"
WIDTH = 320
"""Of elements, in CSS pixels: half of the photo's 640."""


SLOW_WORKER = """
addEventListener("message", ({ data: { id, work, length } }) => {
  if (work !== "paint") return;
  const size = { width: 640, height: 427 };
  const rgba = new Uint8ClampedArray(4).fill(255);
  const painted = { width: 1, height: 1, rgba, size, symbols: 1, length };
  postMessage({ id, picture: { ...painted, isFinal: false, tookMs: 9e4 } });
});
postMessage({ ready: true });
"""
"""Says that it took a minute and a half, whatever it was asked for."""


@pytest.fixture(scope="module")
def server():
    codecs = "prefixel,photo"
    with running_service(REAL, PREFIXEL_CODECS=codecs, PREFIXEL_PHOTO_NETWORKS="0") as started:
        yield started


@pytest.fixture(scope="module")
def document(server):
    photo = encoded("jpeg", Image.fromarray(free_photos()["china"]), quality=90)
    url = f"{server.url}/v1/images?codecs=photo"
    return httpx.post(url, content=photo, timeout=60).raise_for_status().json()


@pytest.fixture(scope="module")
def source(server, document):
    """URL of the whole stream."""
    return server.url + document["codecs"]["photo"]["urls"]["pxl"]


@pytest.fixture(scope="module")
def stream(source):
    return httpx.get(source).raise_for_status().content


@pytest.fixture(scope="module")
def kit(server):
    return kit_url(server.url)


def by_service(server, prefix, size=""):
    """What the service paints of a prefix, at a low-pass resolution that has ``size``."""
    answer = httpx.post(f"{server.url}/v1/decode?format=png{size}", content=prefix)
    return np.asarray(Image.open(BytesIO(answer.raise_for_status().content)).convert("RGB"))


@contextmanager
def slow_server(parts: list[bytes]) -> Iterator[tuple[str, threading.Semaphore]]:
    """URL of an answer that goes on whenever the semaphore is released."""
    go_on = threading.Semaphore(0)

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(sum(map(len, parts))))
            self.send_header("access-control-allow-origin", "*")
            self.end_headers()
            for part in parts:
                go_on.acquire(timeout=30)
                self.wfile.write(part)
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/any-name.pxl", go_on
    made.shutdown()
    made.server_close()


def test_one_answer_is_painted_as_its_bytes_come(context, page, server, kit, stream):
    cuts = [0, 200, 310, 700, 5000, len(stream)]
    parts = [stream[a:b] for a, b in itertools.pairwise(cuts)]
    with slow_server(parts) as (url, go_on):
        page.goto(serve_page(context, f'<prefixel-img src="{url}" alt=""></prefixel-img>', kit))
        go_on.release()
        page.wait_for_timeout(300)
        assert page.evaluate("told") == []
        for count, least in enumerate((300, 600, 5000), 1):
            go_on.release()
            paints = told(page, "paint", count)
            assert paints[count - 1]["detail"]["bytes"] >= least
        before = shown(page)
        assert before.shape == (214, WIDTH, 3)
        go_on.release()
        told(page, "load")
    assert told(page, "paint")[-1]["detail"] == {"bytes": len(stream), "isFinal": True}
    assert np.abs(shown(page) - by_service(server, stream, f"&size={WIDTH}")).max() <= 1
    assert page.evaluate("shifts") < 0.01
    page.goto("about:blank")


@pytest.mark.parametrize(("width", "expected"), [(100, 160), (320, 320), (321, 640), (900, 640)])
def test_only_the_pixels_that_the_box_needs_are_painted(
    context, page, server, kit, source, stream, width, expected
):
    style = f"<style>prefixel-img#a {{ width: {width}px; max-width: none }}</style>"
    body = f'{style}<prefixel-img id="a" src="{source}" bytes="9000" alt=""></prefixel-img>'
    page.goto(serve_page(context, body, kit))
    told(page, "load")
    found = shown(page)
    assert found.shape[1] == expected
    service = by_service(server, stream[:9000], f"&size={expected}")
    assert np.abs(found - service).max() <= 1


def test_a_larger_box_has_it_painted_anew(context, page, server, kit, source, stream):
    page.goto(serve_page(context, f'<prefixel-img src="{source}" alt=""></prefixel-img>', kit))
    told(page, "load")
    assert shown(page).shape[1] == WIDTH
    page.evaluate("document.querySelector('prefixel-img').style.width = '640px'")
    page.wait_for_function(
        "document.querySelector('prefixel-img').shadowRoot.querySelector('canvas').width === 640"
    )
    assert np.abs(shown(page) - by_service(server, stream)).max() <= 1


@pytest.mark.parametrize(
    ("attributes", "saves", "ranges", "length"),
    [
        ('bytes="2000"', False, ["bytes=0-1999"], 2000),
        ('bpp="0.1"', False, ["bytes=0-1023", "bytes=1024-3415"], 3416),
        ('bpp="0.1" bytes="1500"', False, ["bytes=0-1023", "bytes=1024-1499"], 1500),
        ('bpp="0.1" data-saver="0.05"', True, ["bytes=0-1023", "bytes=1024-1707"], 1708),
        ('bpp="0.1" data-saver="0.05"', False, ["bytes=0-1023", "bytes=1024-3415"], 3416),
    ],
)
def test_attributes_say_how_much_is_fetched(
    context, page, kit, source, attributes, saves, ranges, length
):
    asked = []
    context.on("request", lambda r: "photo.pxl" in r.url and asked.append(r.headers.get("range")))
    says = f"{{ value: {{ saveData: {str(saves).lower()} }} }}"
    context.add_init_script(f"Object.defineProperty(navigator, 'connection', {says})")
    page.goto(serve_page(context, f'<prefixel-img src="{source}" {attributes} alt="">', kit))
    told(page, "load")
    assert asked == ranges
    assert told(page, "paint")[-1]["detail"] == {"bytes": length, "isFinal": True}
    # and the rest, when a page asks
    here = page.evaluate("document.querySelector('prefixel-img').refine(5000)")
    assert here == 5000
    page.wait_for_function("told.some(({ detail }) => detail?.bytes === 5000 && detail.isFinal)")


def test_a_server_without_ranges_is_cut_short(context, page, kit, stream):
    with slow_server([stream[:4000], stream[4000:]]) as (url, go_on):
        page.goto(serve_page(context, f'<prefixel-img src="{url}" bytes="3000" alt="">', kit))
        go_on.release()
        told(page, "load")
        assert told(page, "paint")[-1]["detail"]["bytes"] == 3000
        go_on.release()
        page.goto("about:blank")


def test_a_photo_in_the_page_itself_is_painted(context, page, server, kit, stream):
    body = f'<prefixel-img data-stream="{inline(stream[:3000])}" alt="A photo"></prefixel-img>'
    page.goto(serve_page(context, body, kit))
    told(page, "load")
    expected = by_service(server, stream[:3000], f"&size={WIDTH}")
    assert np.abs(shown(page) - expected).max() <= 1


def test_thumbnails_load_nothing_of_photos_and_photos_no_weights(
    context, page, server, kit, source
):
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(serve_page(context, f'<prefixel-img src="{source}" bytes="2000" alt="">', kit))
    told(page, "load")
    names = {url.rpartition("/kit/")[2].partition("/")[2] for url in asked if "/kit/" in url}
    assert "worker/photo-worker.js" in names
    assert not [name for name in names if "weights" in name or name == "worker/worker.js"]


@pytest.mark.parametrize(
    "damage",
    [b"\x81", b"\x81\x81\0\x40\x40", b"\x81\x80\x01\x40\x40" * 20],
    ids=["cut", "reserved bit", "unknown flags"],
)
def test_a_bad_photo_gives_an_error_and_the_fallback(context, page, kit, damage):
    body = f'<prefixel-img data-stream="{inline(damage)}" alt="A photo"></prefixel-img>'
    page.goto(serve_page(context, body, kit))
    assert told(page, "error")[0]["message"]
    assert page.locator("prefixel-img .alt").inner_text() == "A photo"


def test_without_webassembly_the_service_paints(context, page, server, kit, source, watched):
    asked = []
    context.on("request", lambda r: "photo.webp" in r.url and asked.append(r.url))
    policy = f"script-src {server.url} 'unsafe-inline' blob:; worker-src blob:"
    body = (
        f'<meta http-equiv="content-security-policy" content="{policy}">'
        f'<prefixel-img src="{source}" bytes="9000" alt="">'
    )
    watched.allowed.append("Content Security Policy")
    page.goto(serve_page(context, body, kit))
    told(page, "load")
    assert len(asked) == 1
    assert "bytes=9000" in asked[0]
    assert "width=320" in asked[0]
    assert httpx.get(asked[0]).status_code == 200


@pytest.fixture(scope="module")
def with_networks():
    """The largest golden stream that has networks."""
    told = json.loads((VECTORS / "streams.json").read_text())["streams"]
    hexes = [one["stream"] for one in told if one["name"].startswith("networks")]
    return bytes.fromhex(max(hexes, key=len))


def test_a_photo_with_networks_is_painted_at_once_then_corrected(
    context, page, server, kit, with_networks, watched
):
    """Rough, where it is in view, everywhere; weights are fetched after the first picture."""
    asked = []
    context.on("request", lambda r: asked.append(r.url))
    above = '<div style="height: calc(100vh - 40px)"></div>'
    cut = with_networks[:2000]
    page.goto(serve_page(context, f'{above}<prefixel-img data-stream="{inline(cut)}" alt="">', kit))
    told(page, "load")
    details = [one["detail"] for one in told(page, "paint")]
    assert [one["isFinal"] for one in details[-3:]] == [False, False, True]
    assert np.abs(shown(page) - by_service(server, cut)).max() <= 1
    whole = inline(with_networks)
    page.evaluate(f"document.querySelector('prefixel-img').dataset.stream = '{whole}'")
    final = f"detail?.bytes === {len(with_networks)} && detail.isFinal"
    page.wait_for_function(f"told.some(({{ detail }}) => {final})")
    assert np.abs(shown(page) - by_service(server, with_networks)).max() <= 1
    assert sum("photo/weights-" in url for url in asked) == 1
    assert sum("photo/tables-" in url for url in asked) == 1


def test_without_the_weights_the_service_paints(context, page, kit, source, with_networks, watched):
    asked = []
    context.on("request", lambda r: "photo.webp" in r.url and asked.append(r.url))
    context.route("**/photo/weights-*", lambda route: route.abort())
    headers = {"access-control-allow-origin": "*"}
    context.route("**/photo.pxl*", lambda route: route.fulfill(body=with_networks, headers=headers))
    watched.allowed.append("Failed to load resource")
    page.goto(serve_page(context, f'<prefixel-img src="{source}" alt=""></prefixel-img>', kit))
    told(page, "load")
    assert len(asked) == 1
    assert not any(one["detail"]["isFinal"] for one in told(page, "paint"))


def test_where_the_network_is_quicker_than_the_decoder_the_service_paints(
    context, page, kit, source, stream
):
    asked = []
    context.on("request", lambda r: "photo.webp" in r.url and asked.append(r.url))
    context.route(
        "**/worker/photo-worker.js",
        lambda route: route.fulfill(
            content_type="text/javascript",
            headers={"access-control-allow-origin": "*"},
            body=SLOW_WORKER,
        ),
    )
    page.goto(serve_page(context, f'<prefixel-img src="{source}" alt=""></prefixel-img>', kit))
    told(page, "load")
    assert len(asked) == 1
    assert "width=320" in asked[0]
    shown_bytes = [one["detail"]["bytes"] for one in told(page, "paint")]
    assert len(stream) not in shown_bytes


def test_where_no_worker_may_run_the_page_decodes_the_photo(
    context, page, server, kit, source, stream, watched
):
    watched.allowed.append("Content Security Policy")
    policy = f"script-src {server.url} 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'none'"
    body = (
        f'<meta http-equiv="content-security-policy" content="{policy}">'
        f'<prefixel-img src="{source}" bytes="9000" alt="">'
    )
    page.goto(serve_page(context, body, kit))
    told(page, "load")
    expected = by_service(server, stream[:9000], f"&size={WIDTH}")
    assert np.abs(shown(page) - expected).max() <= 1
    assert page.workers == []
