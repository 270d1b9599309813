"""Every URL that a page of ours shows has its one spelling, or it would be sent on."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from service.app import RESOURCES
from service.http.protocol.resource import Resource
from service.http.protocol.spelling import read_spelled

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "deploy/**/*.y*ml",
        "service/**/*.md",
        "service/static/**/*.html",
        "service/static/kit/element/*.js",
    )
    for path in ROOT.glob(pattern)
    if "node_modules" not in path.parts and path.name not in ("ARCHITECTURE.md", "CHANGELOG.md")
)
URL = re.compile(r"/v1/([\w/{}$.-]+)\?([^\s\"'`)\\|<>]+)")
ID, V = "a" * 26, "0123abcd"
"""ARCHITECTURE.md has grammar (``?bytes=N``), the CHANGELOG what was."""


def urls() -> list[tuple[str, str, str]]:
    """(page, path from /v1 on, query) with examples in the place of names."""
    found = []
    for page in PAGES:
        for path, query in URL.findall(html.unescape(page.read_text(encoding="utf-8"))):
            for name in ("$id", "{id}", "ID"):
                path, query = path.replace(name, ID), query.replace(name, ID)
            if "$" not in path + query:
                query = re.sub(r"\bv=(V|…)", f"v={V}", query)
                found.append((page.relative_to(ROOT).as_posix(), path, query))
    return found


def test_there_are_some_and_they_are_of_several_pages():
    assert len(urls()) >= 15
    assert len({page for page, _, _ in urls()}) >= 3


@pytest.mark.parametrize(("page", "path", "query"), urls())
def test_a_url_that_is_shown_has_its_one_spelling(page, path, query):
    resources = [one for one in RESOURCES if isinstance(one, Resource)]
    matching = [one for one in resources if one.path_regex.fullmatch(f"/v1/{path}")]
    operations = [operation for one in matching for operation in one.operations.values()]
    assert operations, f"{page}: nothing is served under /v1/{path}"
    read_spelled(query.encode(), {k: v for one in operations for k, v in one.parameters.items()})
