"""``prefixel.js``: the whole kit in one classic script, of this origin, of another, in the page."""

from __future__ import annotations

import numpy as np
import pytest

from models.export import script
from models.export.browser import KIT
from tests.browser.bundled import golden_stream
from tests.browser.support import ELSEWHERE, EVENTS, inline, shown
from tests.support.npm import node, served, tools


@pytest.mark.parametrize("kind", ["thumbnail", "photo"])
@pytest.mark.parametrize("where", ["here", "elsewhere", "inline"])
def test_one_script_paints_in_a_worker_that_is_the_script(context, page, where, kind):
    stream, expected = golden_stream(kind)
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    context.add_init_script(EVENTS)
    with served(KIT) as url:
        text = f'<script src="{url}/prefixel.js"></script>'
        if where == "inline":
            text = f"<script>{(KIT / 'prefixel.js').read_text()}</script>"
        html = (
            '<!doctype html><html lang="en"><meta charset="latin1"><title>A page</title>'
            f'<link rel="icon" href="data:,"><body>{text}'
            f'<prefixel-img data-stream="{inline(stream)}" alt="A photo"></prefixel-img></html>'
        )
        home = url if where == "here" else ELSEWHERE
        context.route(f"{home}/", lambda route: route.fulfill(content_type="text/html", body=html))
        page.goto(f"{home}/")
        page.wait_for_function("told.some(({ detail }) => detail?.isFinal)")
        assert np.abs(shown(page) - expected).max() <= 1
        assert len(page.workers) == 1
        assert page.evaluate("typeof prefixel.fillGallery") == "function"
        page.goto("about:blank")
    assert {one.rpartition("/")[2] for one in asked if one.startswith(url)} <= {"", "prefixel.js"}


@pytest.mark.parametrize("made", [script.script, script.worker], ids=lambda made: made.__name__)
def test_the_scripts_are_made_of_the_modules(made):
    node()
    path = {script.script: script.SCRIPT, script.worker: script.WORKER}[made]
    assert path.read_bytes() == made(tools()), "run python -m models.export.script"
