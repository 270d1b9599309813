"""``python -m tests.compiling``: machine code for the tests, in a folder of its own.

It is compiled anew where any function that is compiled changed: the cache looks at the module of a
function alone, not at those whose functions were compiled into it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = """
import sys
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
load_newest(packaged_artifacts(), sys.argv[1:], Runtime("cpu", 1))
"""
CODECS = (("prefixel", "fc-lstm", "importance-map"), ("photo",))
"""Whose loading compiles what they need: as many processes, of about the same work."""


def folder() -> Path:
    """Of the sources as they are; it may not be there yet."""
    sources = [
        source
        for part in ("service", "models")
        for file in sorted((ROOT / part).rglob("*.py"))
        if b"@compiled" in (source := file.read_bytes())
    ]
    # what is compiled of one checkout is of no use to another
    stamp = hashlib.sha256(b"".join([os.fsencode(ROOT), *sources])).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"prefixel-compiled-{stamp}"


def compile_once() -> None:
    """Unless it was done. Raises ChildProcessError when a codec does not load."""
    into = folder()
    if into.exists():
        return
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(into)}
    processes = [
        subprocess.Popen([sys.executable, "-c", WORK, *names], cwd=ROOT, env=environment)
        for names in CODECS
    ]
    failed = [process for process in processes if process.wait()]
    if failed:
        raise ChildProcessError(f"codecs do not load: {[process.args for process in failed]}")


if __name__ == "__main__":
    compile_once()
