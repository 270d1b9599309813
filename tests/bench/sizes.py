"""The kit's modules, as the service sends them."""

from __future__ import annotations

import posixpath
import re

import httpx

LATER = r"tables|weights"


def modules(base: str, names: list[str], later: str = LATER) -> dict[str, int]:
    """Bytes as sent, of modules and what they import; of later imports, what matches ``later``."""
    seen: dict[str, int] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name in seen:
            continue
        answer = httpx.get(f"{base}/{name}", headers={"Accept-Encoding": "gzip"})
        seen[name] = int(answer.raise_for_status().headers["content-length"])
        named = re.findall(r'from "(\.[^"]+)"|import "(\.[^"]+)"', answer.text)
        asked = re.findall(r'import\("(\.[^"]+)"\)', answer.text)
        found = [a or b for a, b in named] + [one for one in asked if re.search(later, one)]
        left += [posixpath.normpath(posixpath.join(name, "..", one)) for one in found]
    return seen
