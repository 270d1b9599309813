"""CI: the same cases of hypothesis in every run, and no test skipped for a missing package.

Everywhere: machine code is compiled anew where any function that is compiled changed. The cache
looks at the module of a function alone, not at those whose functions were compiled into it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

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
    needed = (
        *(
            "bjontegaard",
            "blurhash",
            "imagecodecs",
            "matplotlib",
            "onnx",
            "pillow_heif",
            "playwright",
        ),
        *("psutil", "scipy", "skimage", "sklearn", "thumbhash", "torch", "wasmtime"),
    )
    missing = [name for name in needed if find_spec(name) is None]
    assert not missing, f"CI needs the extra 'dev': {', '.join(missing)} missing"
