"""``python -m models.export.script``: the kit's modules -> scripts that are whole in one file.

    prefixel.js               of worker/script.js: the kit for a <script> tag
    worker/photo-worker.js    of photo/worker.js: the worker of photos, a module

esbuild does it, of the packages that ``npm ci`` puts into tests/kit/bundlers. The weights and the
tables of photos' networks, larger than all the rest, stay files beside them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from models.export import kept_current
from models.export.kit import KIT

SCRIPT, WORKER = KIT / "prefixel.js", KIT / "worker" / "photo-worker.js"
COMMAND = "python -m models.export.script"
BANNER = f"/* Made of the kit's modules by `{COMMAND}`. */"


def main() -> None:
    """Write the script, or compare."""
    kept_current.main(COMMAND, __doc__, {SCRIPT: script, WORKER: worker}, "the modules")


def network_tables() -> list[Path]:
    """Of the versions after the first, whose tables are all that the closed form needs."""
    found = sorted((KIT / "photo").glob("tables-*.js"))
    return [path for path in found if not path.name.startswith("tables-1-")]


def script(packages: Path) -> bytes:
    """The kit. Raises CalledProcessError where esbuild cannot make it."""
    return _bundle(
        packages,
        "worker/script.js",
        "--format=iife",
        # whatever the page is written in
        "--charset=ascii",
        f"--external:{KIT / 'photo' / 'weights-*'}",
        *(f"--external:{path}" for path in network_tables()),
        # the script says itself where its worker is
        "--log-override:empty-import-meta=silent",
    )


def worker(packages: Path) -> bytes:
    """The worker of photos. Raises CalledProcessError where esbuild cannot make it."""
    return _bundle(packages, "photo/worker.js", "--format=esm", "--charset=utf8")


def _bundle(packages: Path, source: str, *options: str) -> bytes:
    command: list[str | Path] = [
        packages / ".bin" / "esbuild",
        source,
        "--bundle",
        "--minify",
        "--target=es2022",
        f"--banner:js={BANNER}",
        "--log-level=warning",
        *options,
    ]
    return subprocess.run(command, cwd=KIT, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
