"""CI: the same cases of hypothesis in every run, and no test skipped for a missing package."""

from __future__ import annotations

import os
from importlib.util import find_spec

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if "CI" in os.environ:
    settings.load_profile("ci")
    needed = ("bjontegaard", "blurhash", "imagecodecs", "psutil", "scipy", "skimage", "thumbhash")
    missing = [name for name in needed if find_spec(name) is None]
    assert not missing, f"CI needs the extra 'dev': {', '.join(missing)} missing"
