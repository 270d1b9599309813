"""What the tests of deployment files share: where the files are, and which tools read them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def load(path: Path) -> Any:
    """A YAML file of one document."""
    return yaml.safe_load(path.read_text())


def need_module(name: str) -> None:
    """Skip without a package of the extra 'deploy', or fail where CI is set."""
    if find_spec(name) is None:
        _missing(f"the package {name}")


def tool(name: str) -> str:
    """Path of a program, beside this Python or on PATH; without it skip, or fail in CI."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        _missing(f"the program {name}")
        raise AssertionError
    return found


def check(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a checker; its words are the failure."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI checks the deployment files with it")
    pytest.skip(f"{what} is not installed")
