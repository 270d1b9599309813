"""Node, the npm packages that pages are built with, and the kit as a package of npm."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from models.export.browser import KIT, ROOT

BUNDLERS = ROOT / "tests" / "kit" / "bundlers"


def node() -> str:
    """Where Node is; CI has it, elsewhere its tests are skipped without it."""
    return _needed(shutil.which("node"), "node")


def tools() -> Path:
    """The node_modules of tests/kit/bundlers (PREFIXEL_NODE_MODULES), which ``npm ci`` makes."""
    folder = Path(os.environ.get("PREFIXEL_NODE_MODULES", BUNDLERS / "node_modules"))
    found = str(folder) if folder.is_dir() else None
    return Path(_needed(found, f"{folder} (npm ci in tests/kit/bundlers)"))


def package(name: str) -> Path:
    """A package in ``tools()``."""
    folder = tools() / name
    return Path(_needed(str(folder) if folder.is_dir() else None, f"{folder}"))


def _needed(found: str | None, what: str) -> str:
    if found is None and "CI" not in os.environ:
        pytest.skip(f"there is no {what}")
    assert found is not None, f"CI needs {what}"
    return found


def make_project(folder: Path, packages: Path) -> Path:
    """A project that has a folder's packages and the kit, packed and unpacked as npm does it."""
    modules = folder / "node_modules"
    modules.mkdir(parents=True)
    for package in packages.iterdir():
        (modules / package.name).symlink_to(package)
    (folder / "package.json").write_text('{ "private": true, "type": "module" }')
    command = ["npm", "pack", "--silent", "--pack-destination", folder]
    packed = subprocess.run(command, cwd=KIT, check=True, capture_output=True, text=True)
    shutil.unpack_archive(folder / packed.stdout.strip(), folder, filter="data")
    (folder / "package").rename(modules / "prefixel")
    return folder


def with_page(project: Path) -> Path:
    """The project, with the page of tests/kit/bundlers and what builds it."""
    for name in ("build.js", "main.js", "index.html"):
        shutil.copy(BUNDLERS / name, project)
    return project


def run(project: Path, *command: str | Path) -> str:
    """What a command of Node prints in a project; its words as an AssertionError if it fails."""
    done = subprocess.run(
        [node(), *command], cwd=project, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """URL of a server of files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
