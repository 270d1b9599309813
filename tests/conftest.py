"""CI: the same cases of hypothesis in every run, and a test that is skipped has failed.

Everywhere: machine code is compiled anew where any function that is compiled changed (the cache
looks at the module of a function alone, not at those whose functions were compiled into it), once
for all workers, before they start. What takes longest is begun first.
"""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
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
COMPILED = Path(tempfile.gettempdir()) / f"prefixel-compiled-{stamp}"
os.environ["NUMBA_CACHE_DIR"] = str(COMPILED)

COMPILING = """
import sys
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
load_newest(packaged_artifacts(), sys.argv[1:], Runtime("cpu", 1))
"""
CODECS = (("prefixel",), ("photo", "fc-lstm", "importance-map"))
"""Whose loading compiles what they need: as many processes, of about the same work."""

LONGEST = (
    "proofs/test_proofs",
    "browser/",
    "kit/",
    "models/",
    "service/http/test_contract",
    "service/bench/",
    "service/cli/",
    "service/serving/",
    "service/codec/",
    "service/evaluation/",
    "service/sdk/",
)
"""Below this folder, in the order in which files are handed out; the others follow."""

gc.disable()  # until all is collected: what is imported stays


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker ends long after the other (the order of one file stays).

    With it goes ``--no-loadscope-reorder``: otherwise the file of the most tests is first.
    """

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(Path(__file__).parent).as_posix()
        found = (n for n, start in enumerate(LONGEST) if file.startswith(start))
        return next(found, len(LONGEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Modules and tests are left out of every later collection of garbage: it would visit millions
    of objects of which none goes."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Compile what codecs need, before workers that would all do it at the same time."""
    gc.enable()  # this process collects no tests
    if COMPILED.exists():
        return
    processes = [subprocess.Popen([sys.executable, "-c", COMPILING, *names]) for names in CODECS]
    failed = [process for process in processes if process.wait()]
    if failed:
        raise pytest.UsageError(f"codecs do not load: {[process.args for process in failed]}")


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
