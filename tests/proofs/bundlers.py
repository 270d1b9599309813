"""``python -m tests.proofs.bundlers``: Rollup and Parcel build a page that paints, in Chromium.

Their packages are fetched into a temporary folder (about a minute). Vite, webpack and esbuild are
tested in every run (tests/browser/test_bundlers.py).
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.bundled import KINDS, golden_stream, painted
from tests.browser.conftest import FLAGS
from tests.proofs.claims import Claims, heading
from tests.support.chromium import program
from tests.support.npm import BUNDLERS, make_project, run, served, with_page

NAMES = ("rollup", "parcel")
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def main() -> None:
    """Build, open, and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    heading("Bundlers that are not in every run")
    claims = Claims()
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder) / "tools"
        shutil.copytree(BUNDLERS / "proof", tools)
        subprocess.run(INSTALL, cwd=tools, check=True, capture_output=True)
        project = with_page(make_project(Path(folder) / "page", tools / "node_modules"))
        for name in NAMES:
            prove(claims, project, name)
    sys.exit(claims.end())


def prove(claims: Claims, project: Path, name: str) -> None:
    """One bundler: it builds, and its page paints in a worker without a word on the console."""
    run(project, "build.js", name)
    built = project / "dist" / name
    scripts = [path.read_bytes() for path in built.rglob("*.js")]
    sent = sum(len(gzip.compress(script, 9)) for script in scripts)
    said: list[str] = []
    with sync_playwright() as playwright, served(built) as url:
        browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        workers = [painted(page, f"{url}/index.html", *golden_stream(kind)) for kind in KINDS]
        browser.close()
    figures = f"{len(scripts)} scripts, {sent / 1000:.1f} kB gzipped, {workers} workers, {said}"
    paints = f"{name} builds a page that paints a {', a '.join(KINDS)}"
    claims.claim(workers == [1] * len(KINDS) and said == [], paints, figures)


if __name__ == "__main__":
    main()
