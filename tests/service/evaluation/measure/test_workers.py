"""No process outlives the evaluation that started it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

SCRIPT = """
import time
from service.evaluation.measure.workers import worker_pool
if __name__ == "__main__":
    with worker_pool(2) as pool:
        tasks = [pool.submit(abs, -1), pool.submit(abs, -2)]
        print([task.result() for task in tasks], flush=True)
        time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed() -> None:
    psutil = pytest.importorskip("psutil")
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"[1, 2]\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert children
        parent.kill()
    deadline = time.monotonic() + 20
    while any(child.is_running() and child.status() != "zombie" for child in children):
        assert time.monotonic() < deadline, "workers wait for a parent that is gone"
        time.sleep(0.05)
