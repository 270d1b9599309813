"""CI: the same cases of hypothesis in every run, and a test that is skipped has failed.

Everywhere: machine code is compiled once for all workers, before they start. What takes longest is
begun first.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import compiling

os.environ["NUMBA_CACHE_DIR"] = str(compiling.folder())
# no test asks anybody elsewhere; else every client of httpx reads all authorities, for up to 40 ms
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)

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


def pytest_sessionstart(session: pytest.Session) -> None:
    """The second worker begins at the other end: of what two import at the same time for the first
    time, each would write the byte code.

    What fails here fails again where it is collected.
    """
    whole = session.config.args == session.config.getini("testpaths")
    if os.environ.get("PYTEST_XDIST_WORKER") != "gw1" or not whole:
        return
    tests = Path(__file__).parent
    for file in sorted(tests.rglob("test_*.py"), reverse=True):
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(tests.parent).with_suffix("").parts))


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
    of objects of which none goes. What lives long is looked at a tenth as often as usual: torch
    makes so many objects for a graph that this took a quarter of an export."""
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], 100)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Compile what codecs need, before workers that would all do it at the same time."""
    gc.enable()  # this process collects no tests
    compiling.compile_once()


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
