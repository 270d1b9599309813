"""The package of npm in pages that bundlers build, each opened in a real browser."""

from __future__ import annotations

import pytest

from tests.browser.bundled import KINDS, golden_stream, painted
from tests.support.npm import make_project, run, served, tools, with_page


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = make_project(tmp_path_factory.mktemp("bundlers"), tools())
    return with_page(made)


@pytest.mark.parametrize("bundler", ["vite", "webpack", "esbuild", "esbuild-alone"])
def test_a_page_that_a_bundler_builds_paints_in_a_worker(bundler, project, page, watched):
    """Thumbnails, and photos in a worker of their own, with networks and without.

    Without a worker's file (esbuild on its own) the page paints too, in its own thread."""
    run(project, "build.js", bundler)
    has_worker = bundler != "esbuild-alone"
    if not has_worker:
        watched.allowed.append("404")
    folder = project / "dist" / bundler
    scripts = "".join(path.read_text() for path in folder.rglob("*.js"))
    assert str(project) not in scripts
    with served(folder) as url:
        for kind in KINDS:
            assert painted(page, f"{url}/index.html", *golden_stream(kind)) == has_worker
