"""Processes that measure baselines, and end when the evaluation does."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Processes that are spawned, not forked: ONNX Runtime's threads would not survive that."""
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_end_with_parent
    )


def _end_with_parent() -> None:
    """A killed parent closes nothing: its workers would wait for work for ever."""
    parent = parent_process()
    if parent is None:
        raise RuntimeError("only a worker has a parent")

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
