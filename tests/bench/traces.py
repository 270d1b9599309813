"""How long the thread of a page computes in a task at most, as Chromium's trace tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

TRACED = ["devtools.timeline", "disabled-by-default-devtools.timeline"]


def largest_task(
    browser: Browser, context: BrowserContext, open_page: Callable[[Page], None]
) -> tuple[float, float]:
    """Of the page that ``open_page`` opens and waits for: ms that a task computed, and lasted."""
    page = context.new_page()
    browser.start_tracing(page=page, categories=TRACED)
    open_page(page)
    trace = json.loads(browser.stop_tracing())
    page.close()
    return _largest_task(trace["traceEvents"])


def _largest_task(events: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Of the task of the page's own thread that computed longest, from the first request for the
    kit on: ms that it computed, and ms from its start to its end."""
    asking = [
        event
        for event in events
        if event["name"] == "ResourceSendRequest" and "/kit/" in event["args"]["data"]["url"]
    ]
    first = min(asking, key=lambda event: event["ts"])
    tasks = [
        event
        for event in events
        if event["name"] == "RunTask"
        and (event["pid"], event["tid"]) == (first["pid"], first["tid"])
        and event["ts"] + event.get("dur", 0) >= first["ts"]
        and "tdur" in event
    ]
    largest = max(tasks, key=lambda event: event["tdur"])
    return largest["tdur"] / 1000, largest["dur"] / 1000
