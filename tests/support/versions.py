"""Two versions of a shipped codec as two artifacts, of which only the header differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from service.codec.artifact import MANIFEST
from service.codec.registry import newest
from service.settings import packaged_artifacts


def two_versions(name: str, folder: Path) -> Path:
    """``folder`` with ``NAME.VERSION`` as it ships and ``NAME``, the version after it."""
    shipped = newest(packaged_artifacts(), name)
    manifest = json.loads((shipped / MANIFEST).read_text())
    shutil.copytree(shipped, folder / f"{name}.{manifest['version']}")
    later = shutil.copytree(shipped, folder / name) / MANIFEST
    later.write_text(json.dumps(manifest | {"version": manifest["version"] + 1}))
    return folder
