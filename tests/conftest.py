"""CI: the same cases of hypothesis in every run, and a test that is skipped has failed.

Everywhere: machine code is compiled anew where any function that is compiled changed. The cache
looks at the module of a function alone, not at those whose functions were compiled into it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
sources = [
    source
    for part in ("service", "models")
    for file in sorted((ROOT / part).rglob("*.py"))
    if b"@compiled" in (source := file.read_bytes())
]
stamp = hashlib.sha256(b"".join(sources)).hexdigest()[:16]
os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"prefixel-compiled-{stamp}")

settings.register_profile("ci", derandomize=True)
if "CI" in os.environ:
    settings.load_profile("ci")


def failed_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """What a machine of one's own may lack, CI must have: a skip or an xfail is a failure there."""
    if "CI" in os.environ and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"CI skips nothing: {report.nodeid}: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Of one phase of a test."""
    report = yield
    failed_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Of a module that skips itself while it is imported."""
    report = yield
    failed_in_ci(report)
    return report
