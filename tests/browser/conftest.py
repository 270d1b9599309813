"""A real Chromium, and pages in it that must not log an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.chromium import program
from tests.support.photos import crops, encoded
from tests.support.server import REAL, Server, running_service

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # pages of a made-up origin may ask the service, which listens on this machine alone
    "--disable-features=LocalNetworkAccessChecks",
)
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium of the system; CI has it, elsewhere these tests are skipped without it."""
    chromium = program()
    if chromium is None and "CI" not in os.environ:
        pytest.skip("chromium is not installed")
    assert chromium is not None, "CI needs chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The service with its artifacts, and the gallery's comparisons."""
    with running_service(REAL, PREFIXEL_DEMO="true", PREFIXEL_CODECS="prefixel") as s:
        yield s


@dataclass
class Watched:
    """What pages of one test logged; ``allowed`` are parts of errors that the test provokes."""

    errors: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def unexpected(self) -> list[str]:
        return [e for e in self.errors if not any(part in e for part in self.allowed)]


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Fails a test whose pages logged what it did not expect."""
    found = Watched()
    yield found
    assert found.unexpected() == []


@pytest.fixture
def context(browser: Browser, watched: Watched) -> Iterator[BrowserContext]:
    """A profile of its own."""
    made = browser.new_context()
    made.set_default_timeout(PATIENCE_MS)
    made.on("page", lambda page: _watch(page, watched))
    yield made
    made.close()


def _watch(page: Page, watched: Watched) -> None:
    page.on("console", lambda m: m.type == "error" and watched.errors.append(m.text))
    page.on("pageerror", lambda error: watched.errors.append(str(error)))


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page."""
    return context.new_page()


@pytest.fixture(scope="session")
def photos() -> list[dict[str, Any]]:
    """Uploads as Playwright takes them: JPEGs of different shapes."""
    return [
        {"name": f"photo-{n}.jpg", "mimeType": "image/jpeg", "buffer": encoded("jpeg", crop)}
        for n, crop in enumerate(crops(60, seed=21, size_range=(64, 160)))
    ]


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where pictures of the pages go, for people (PREFIXEL_SCREENSHOTS); None: nowhere."""
    folder = os.environ.get("TEST_SCREENSHOTS")
    return Path(folder) if folder else None
