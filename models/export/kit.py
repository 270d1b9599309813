"""Where the browser kit is, and bytes as text in its generated modules.

All that is generated is a module of JavaScript, which every bundler follows; of other files each
bundler has its own idea. Bytes are a string, a character each: gzip packs it nearly as well as
the bytes, and base64 by a sixth worse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
KIT = ROOT / "service" / "static" / "kit"
THUMB, PHOTO = KIT / "thumb", KIT / "photo"
SHIFT = 72
"""Added to a byte for its character: few bytes then need an escape, or two bytes of UTF-8."""


def literal(numbers: Iterable[int]) -> str:
    """Bytes, or signed bytes, as a string of JavaScript."""
    text = "".join(chr((number + SHIFT) % 256) for number in numbers)
    return json.dumps(text, ensure_ascii=False)
