"""Files that are made of others and committed: written, or with ``--check`` compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from models.export.browser import ROOT

PACKAGES = ROOT / "tests" / "kit" / "bundlers" / "node_modules"


def main(
    command: str,
    description: str | None,
    targets: Mapping[Path, Callable[[Path], bytes]],
    source: str,
) -> None:
    """The command line; what makes a target is given the folder of npm's packages."""
    parser = argparse.ArgumentParser(prog=command, description=description)
    parser.add_argument("--packages", type=Path, default=PACKAGES, help="folder (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if not current")
    options = parser.parse_args()
    for target, make in targets.items():
        made = make(options.packages)
        if not options.check:
            target.write_bytes(made)
            print(f"{len(made)} bytes  {target.name}")
        elif made != target.read_bytes():
            sys.exit(f"{target} is not made of {source}")
