"""What a page that a bundler built must paint: the page is tests/kit/bundlers/main.js."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.browser.support import inline

VECTORS = Path(__file__).parents[1] / "vectors"
KINDS = {
    "thumbnail": ("prefixel", 0),
    "photo": ("photo.1", 0),
    "photo with networks": ("photo", 6),
}
"""Folders of golden streams, and which of a folder's."""


def golden_stream(kind: str = "thumbnail") -> tuple[bytes, NDArray[np.int64]]:
    """A stream of one of ``KINDS``, and what the service paints of it: [H, W, 3]."""
    name, number = KINDS[kind]
    folder = VECTORS / name
    entry = json.loads((folder / "streams.json").read_text())["streams"][number]
    stream = bytes.fromhex(entry["stream"])
    with np.load(folder / "pictures.npz") as pictures:
        return stream, pictures[f"{entry['name']}-{len(stream)}"].astype(int)


def painted(page: Page, url: str, stream: bytes, expected: NDArray[np.int64]) -> int:
    """Open the page and wait until its picture is final; how many workers it has.

    Raises AssertionError for an error event, or where a pixel is further than 1 off.
    """
    page.goto(f"{url}#{quote(inline(stream))}")
    page.wait_for_function("window.picture && told.some(({ detail }) => detail?.isFinal)")
    assert page.evaluate("told.filter(({ kind }) => kind === 'error')") == []
    found = page.evaluate("picture")
    assert found["isFinal"]
    rgba = np.array(found["rgba"], int).reshape(found["height"], found["width"], 4)
    assert np.abs(rgba[..., :3] - expected).max() <= 1
    workers = len(page.workers)
    page.goto("about:blank")
    return workers
