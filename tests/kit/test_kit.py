"""The browser kit's own tests (node --test), and that what is generated is current."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.export import kernel
from models.export.browser import GENERATED, THUMB, generate, shipped
from tests.support.npm import node

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, "-m", "tests.kit.cases", folder], check=True)
    return folder


@pytest.mark.parametrize("script", sorted(path.name for path in HERE.glob("*.test.js")))
def test_the_kit_does_what_the_service_does(cases: Path, script: str) -> None:
    done = subprocess.run(
        [node(), "--test", HERE / script],
        env={**os.environ, "KIT_CASES": str(cases)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tables_and_weights_of_the_kit_are_those_of_the_artifact() -> None:
    made = generate(shipped())
    there = {path.name: path.read_bytes() for path in THUMB.iterdir() if GENERATED.match(path.name)}
    assert there == made, "run python -m models.export.browser"


def test_the_kernel_of_the_kit_is_made_of_its_source() -> None:
    made = kernel.module(kernel.SOURCE.read_text())
    assert kernel.MODULE.read_text() == made, "run python -m models.export.kernel"
