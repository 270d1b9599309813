"""``python -m models.export.script``: the kit's modules -> ``prefixel.js``, for a <script> tag.

esbuild does it, of the packages that ``npm ci`` puts into tests/kit/bundlers. The weights and the
tables of photos' networks, larger than all the rest, stay files beside it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from models.export import kept_current
from models.export.browser import KIT

SOURCE, SCRIPT = KIT / "worker" / "script.js", KIT / "prefixel.js"
COMMAND = "python -m models.export.script"
BANNER = f"/* Made of the kit's modules by `{COMMAND}`. */"


def main() -> None:
    """Write the script, or compare."""
    kept_current.main(COMMAND, __doc__, {SCRIPT: script}, "the modules")


def network_tables() -> list[Path]:
    """Of the versions after the first, whose tables are all that the closed form needs."""
    found = sorted((KIT / "photo").glob("tables-*.js"))
    return [path for path in found if not path.name.startswith("tables-1-")]


def script(packages: Path) -> bytes:
    """The bundle. Raises CalledProcessError where esbuild cannot make it."""
    command = [
        packages / ".bin" / "esbuild",
        SOURCE.relative_to(KIT),
        "--bundle",
        "--minify",
        "--format=iife",
        "--target=es2022",
        "--charset=ascii",
        f"--external:{KIT / 'photo' / 'weights-*'}",
        *(f"--external:{path}" for path in network_tables()),
        f"--banner:js={BANNER}",
        # the script says itself where its worker is
        "--log-override:empty-import-meta=silent",
        "--log-level=warning",
    ]
    return subprocess.run(command, cwd=KIT, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
