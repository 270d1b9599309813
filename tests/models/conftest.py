"""Training needs torch: without it these tests are skipped, and fail where CI is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent

if find_spec("torch") is None and "CI" not in os.environ:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str:
    found = "found" if find_spec("torch") else "missing (pip install '.[train]'): skipped"
    return f"torch for tests/models: {found}"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _one_registry() -> Iterator[None]:
    from tests.support.torch_export import one_registry

    with one_registry():
        yield
