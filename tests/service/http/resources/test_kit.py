"""The browser kit and the gallery over HTTP: what is immutable, compressed, allowed to whom."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import httpx
import pytest

from service.http.resources.kit import STATIC, release_of
from tests.support.server import running_service


@pytest.fixture(scope="module")
def server():
    with running_service() as started:
        yield started


@pytest.fixture(scope="module")
def release(server):
    found = re.search(r'src="(kit/[0-9a-f]{12})/', httpx.get(server.url + "/").text)
    assert found
    return f"{server.url}/{found[1]}"


def test_every_url_of_the_page_is_there_and_immutable(server, release):
    page = httpx.get(server.url + "/")
    urls = re.findall(r'(?:src|href)="(kit/[^"]+)"', page.text)
    assert len(urls) >= 3
    for url in urls:
        answer = httpx.get(f"{server.url}/{url}").raise_for_status()
        assert "immutable" in answer.headers["cache-control"], url


def test_every_module_that_a_module_imports_is_there(release):
    seen, left = set(), ["gallery/gallery.js", "react.js"]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = httpx.get(f"{release}/{name}").raise_for_status()
        assert answer.headers["content-type"].startswith("text/javascript")
        for imported in re.findall(r'(?:from|import|import\()\s*"(\.[^"]+)"', answer.text):
            target = httpx.URL(f"{release}/{name}").join(imported)
            left.append(str(target).removeprefix(f"{release}/"))
    assert {"element.js", "index.js", "thumb/codec.js", "thumb/versions.js"} <= seen


def test_a_name_without_a_release_may_change(server):
    answer = httpx.get(server.url + "/kit/element.js")
    assert answer.status_code == 200
    assert "immutable" not in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/kit/",
        "/kit/element.ts",
        "/kit/package.json",
        "/kit/thumb/kernel.wat",
        "/kit/index.html",
        "/kit/0123456789ab/element.js",
        "/kit/%2e%2e/%2e%2e/app.py",
    ],
)
def test_nothing_else_is_served(server, path):
    answer = httpx.get(server.url + path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:prefixel:problem:no-route"


def test_it_is_compressed_for_whoever_takes_that(release):
    url = f"{release}/thumb/codec.js"
    plain = httpx.get(url, headers={"Accept-Encoding": "identity"})
    packed = httpx.get(url, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    refused = httpx.get(url, headers={"Accept-Encoding": "gzip;q=0"})
    assert plain.content == packed.content == refused.content
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert {answer.headers["vary"] for answer in (plain, packed)} == {"Accept-Encoding"}
    assert plain.headers["etag"] != packed.headers["etag"]


def test_an_etag_that_holds_is_answered_with_304(release):
    url = f"{release}/thumb/codec.js"
    etag = httpx.get(url).headers["etag"]
    again = httpx.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    other = httpx.get(url, headers={"If-None-Match": etag, "Accept-Encoding": "identity"})
    assert other.status_code == 200


def test_head_says_the_length(release):
    url = f"{release}/thumb/codec.js"
    head, get = httpx.head(url), httpx.get(url)
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


def test_a_page_of_another_origin_may_load_the_kit(release):
    answer = httpx.get(f"{release}/element.js", headers={"Origin": "https://elsewhere.test"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


def test_the_page_allows_no_inline_script_and_no_eval(server):
    answer = httpx.get(server.url + "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy
    assert not re.search(r"<style|<script>|\sstyle=|\son[a-z]+=", answer.text)


def test_the_page_says_whether_formats_are_compared(server):
    assert 'data-demo="off"' in httpx.get(server.url + "/").text
    with running_service(PREFIXEL_DEMO="true") as other:
        assert 'data-demo="on"' in httpx.get(other.url + "/").text


def test_a_release_changes_with_every_byte_and_every_name():
    contents = {"a.js": b"one", "b.js": b"two"}
    others = [{"a.js": b"one", "b.js": b"twp"}, {"a.js": b"one", "c.js": b"two"}, {"a.js": b"one"}]
    releases = {release_of(one) for one in (contents, *others)}
    assert len(releases) == 1 + len(others)


IMPORTED = re.compile(r'(?:\bfrom|\bimport\(|\bimport|\bURL\()\s*"(\.{1,2}/[^"]+\.js)"')


def loaded_by_a_page() -> set[Path]:
    """Modules that the element, its workers, and what these name load; of decoding photos its
    worker alone."""
    kit, found = STATIC / "kit", set[Path]()
    ahead = [kit / "element.js"]
    while ahead:
        module = ahead.pop().resolve()
        if module in found or module.name == "decoder.js":
            continue
        found.add(module)
        ahead += [module.parent / name for name in IMPORTED.findall(module.read_text())]
    return {module.relative_to(kit.resolve()) for module in found}


def test_the_kit_is_small():
    """Code of at most 25 kB, all of it at most 90 kB, gzipped as it is sent: a page loads it once.

    What photos need comes with the first of them: at most 60 kB, with what the element had to learn
    for them. Their worker is one file; the modules that it is made of are for Node, and for pages
    that have no workers. What their network needs comes later and is counted apart: at most 300 kB
    of weights and kernel, 32 kB of tables. The one script for a <script> tag has neither comments
    nor long names, and photos too.
    """
    files = {
        path.relative_to(STATIC / "kit"): len(gzip.compress(path.read_bytes(), 9))
        for path in (STATIC / "kit").rglob("*.*")
        if path.suffix == ".js"
        and path.name not in ("react.js", "prefixel.js", "script.js")
        and path.parent.name != "gallery"
    }
    by_page = loaded_by_a_page()
    photos = {
        path: n for path, n in files.items() if "photo" in path.as_posix() and path in by_page
    }
    parts = [
        (("weights-", "network_kernel"), 300_000),
        (("tables-2-",), 32_000),
    ]
    of_network = [
        (sum(n for path, n in photos.items() if path.name.startswith(names)), most)
        for names, most in parts
    ]
    assert all(0 < n <= most for n, most in of_network), of_network
    of_photos = sum(photos.values()) - sum(n for n, _ in of_network)
    sizes = {path.name: n for path, n in files.items() if "photo" not in path.as_posix()}
    script = gzip.compress((STATIC / "kit" / "prefixel.js").read_bytes(), 9)
    assert len(script) <= 75_000 + 60_000
    made = sum(n for name, n in sizes.items() if name.startswith(("tables-", "weights-")))
    code = sum(sizes.values()) - made
    assert of_photos > 0
    assert max(0, code - 25_000) + of_photos <= 60_000
    assert sum(sizes.values()) <= 90_000
