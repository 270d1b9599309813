"""Modules are fetched at once: what starts a part of the kit names all that it needs itself.

A browser asks for a module's imports only when it has that module. In a chain of five, each is a
way to the server and back.
"""

from __future__ import annotations

import posixpath
import re

import pytest

from models.export.browser import GENERATED, KIT


def imported(name: str) -> set[str]:
    """What a module imports before it runs."""
    text = (KIT / name).read_text()
    found = re.findall(r'^(?:import|export)\b[^;"]*"(\.[^"]+)";', text, re.MULTILINE)
    return {posixpath.normpath(posixpath.join(name, "..", one)) for one in found}


def needed(*names: str) -> set[str]:
    """That, and what these import, but for the tables whose names hold their hash."""
    left, seen = list(names), set[str]()
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += imported(name)
    return {one for one in seen if not GENERATED.match(posixpath.basename(one))} | {
        one for one in seen if one.endswith("/versions.js")
    }


def test_the_worker_of_photos_is_one_file():
    assert needed("worker/photo-worker.js") == {"worker/photo-worker.js"}


@pytest.mark.parametrize("entry", ["element.js", "worker/worker.js"])
def test_an_entry_names_all_modules_that_it_needs(entry):
    assert needed(entry) - {entry} == imported(entry)


def test_the_first_photo_asks_for_all_code_of_photos():
    text = (KIT / "element/element.js").read_text()
    asked = {
        posixpath.normpath(posixpath.join("element", one))
        for one in re.findall(r'import\("(\.[^"]+)"\)', text)
    }
    assert needed("element/photo.js") - needed("element.js") == asked
