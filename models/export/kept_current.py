"""Files that are made of others and committed: written, or with ``--check`` compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from models.export.browser import ROOT

PACKAGES = ROOT / "tests" / "kit" / "bundlers" / "node_modules"


def main(
    command: str, description: str | None, target: Path, make: Callable[[Path], bytes], source: str
) -> None:
    """The command line; ``make`` is given the folder of npm's packages."""
    parser = argparse.ArgumentParser(prog=command, description=description)
    parser.add_argument("--packages", type=Path, default=PACKAGES, help="folder (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if not current")
    options = parser.parse_args()
    made = make(options.packages)
    if options.check:
        sys.exit(0 if made == target.read_bytes() else f"{target} is not made of {source}")
    target.write_bytes(made)
    print(f"{len(made)} bytes  {target.name}")
