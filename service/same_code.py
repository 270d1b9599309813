"""How a process starts another one that runs this very code, wherever it was started from.

``python -m`` looks into the current folder first; one that has a ``service``, or a ``json.py``,
would be run instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""Where this package was found."""


def command(module: str, *words: object) -> list[str]:
    """The command line of a module of this package."""
    return [sys.executable, "-P", "-m", module, *map(str, words)]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Variables with which it finds the same package."""
    before = given.get("PYTHONPATH")
    return {**given, "PYTHONPATH": os.pathsep.join([str(ROOT), *([before] if before else [])])}
