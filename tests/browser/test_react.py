"""The component for React: rendered by Node, hydrated in a real browser, and its types."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.bundled import golden_stream
from tests.browser.support import inline
from tests.support.npm import BUNDLERS, make_project, run, served, tools

STREAM = inline(golden_stream()[0][:64])
SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = make_project(tmp_path_factory.mktemp("react"), tools())
    shutil.copytree(BUNDLERS.parent / "react", made, dirs_exist_ok=True)
    esbuild = made / "node_modules" / "esbuild" / "bin" / "esbuild"
    shared = ("--bundle", "--format=esm", "--jsx=automatic", "--outdir=dist", "--log-level=warning")
    run(made, esbuild, "hydrate.jsx", "worker=prefixel/worker", *shared)
    # as a server has it: packages stay where they are
    run(made, esbuild, "render.jsx", "--platform=node", "--packages=external", *shared)
    return made


@pytest.fixture(scope="module")
def rendered(project):
    return run(project, "dist/render.js", STREAM)


def test_a_server_renders_the_element_with_its_shape(rendered):
    code = golden_stream()[0][1] >> 1
    aspect = f"{2 ** ((code - 64) / 24):.4f}".rstrip("0").rstrip(".")
    assert f'data-stream="{STREAM}"' in rendered
    assert f"aspect-ratio:{aspect}" in rendered
    assert 'class="thumbnail"' in rendered
    assert "<noscript>" in rendered


@pytest.mark.parametrize("when", ["at once", "late"])
def test_a_page_hydrates_and_hears_what_the_element_told(project, page, rendered, when):
    (project / "dist" / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>'
        '<link rel="icon" href="data:,"><style>main { width: 320px }</style>'
        f'<body data-stream="{STREAM}"><div id="root">{rendered.strip()}</div><p>below</p>'
        '<script type="module" src="hydrate.js"></script>'
    )
    page.add_init_script(SHIFTS)
    with served(project / "dist") as url:
        page.goto(f"{url}/index.html" + ("#late" if when == "late" else ""))
        element = page.locator("prefixel-img").first
        if when == "late":
            page.wait_for_function("document.querySelector('prefixel-img').told.paint")
            page.wait_for_function("document.querySelectorAll('prefixel-img')[1].told.error")
            element.evaluate("(one) => { one.kept = true; }")
            page.evaluate("hydrate()")
        for kind in ("ref", "paint", "load", "refused"):
            page.wait_for_function("(kind) => told.some((one) => one.kind === kind)", arg=kind)
        page.wait_for_function("told.some(({ detail }) => detail?.isFinal)")
        told = page.evaluate("told")
        assert {"kind": "ref", "name": "prefixel-img"} in told
        assert [one for one in told if one["kind"] == "error"] == []
        if when == "late":
            assert element.evaluate("(one) => one.kept"), "the server's element stayed"
        assert page.locator("prefixel-img .fallback img").is_visible()
        assert page.evaluate("shifts") == 0
        page.goto("about:blank")


def test_the_types_are_strict(project):
    tsc = project / "node_modules" / "typescript" / "bin" / "tsc"
    options = ("--strict", "--exactOptionalPropertyTypes", "--noEmit", "--jsx", "react-jsx")
    target = ("--module", "esnext", "--target", "es2022", "--lib", "es2022,dom")
    run(project, tsc, *options, *target, "--moduleResolution", "bundler", "types.tsx")
