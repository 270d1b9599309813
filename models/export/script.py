"""``python -m models.export.script``: the kit's modules -> ``prefixel.js``, for a <script> tag.

esbuild does it, of the packages that ``npm ci`` puts into tests/kit/bundlers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from models.export.browser import KIT, ROOT

SOURCE, SCRIPT = KIT / "worker" / "script.js", KIT / "prefixel.js"
PACKAGES = ROOT / "tests" / "kit" / "bundlers" / "node_modules"
BANNER = "/* Made of the kit's modules by `python -m models.export.script`. */"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.script", description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES, help="folder (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if not current")
    return parser.parse_args()


def main() -> None:
    """Write the script, or compare."""
    options = arguments()
    made = script(options.packages)
    if options.check:
        sys.exit(0 if made == SCRIPT.read_bytes() else f"{SCRIPT} is not made of the modules")
    SCRIPT.write_bytes(made)
    print(f"{len(made)} bytes  {SCRIPT.name}")


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
        f"--banner:js={BANNER}",
        # the script says itself where its worker is
        "--log-override:empty-import-meta=silent",
        "--log-level=warning",
    ]
    return subprocess.run(command, cwd=KIT, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
