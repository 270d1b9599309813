"""A process that is started runs the code of its parent, whatever the current folder holds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import service
from service import same_code


def test_a_folder_with_a_package_of_the_same_name_is_not_run_instead(tmp_path: Path) -> None:
    for name in ("service", "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    done = subprocess.run(
        same_code.command("service.cli.main", "--version"),
        cwd=tmp_path,
        env=same_code.environment({"PATH": os.environ["PATH"]}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("prefixel ")


def test_the_package_is_looked_for_before_what_was_asked_for() -> None:
    found = same_code.environment({"PYTHONPATH": "/somewhere"})["PYTHONPATH"].split(os.pathsep)
    assert found == [str(Path(service.__file__).parents[1]), "/somewhere"]
