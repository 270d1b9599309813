"""Tables in the README and in docs are what the code says, and what the evaluation measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.cli import tables

ROOT = Path(__file__).parents[1]
SHORTEST_README, LONGEST_README = 8_000, 10_000
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("name", [*tables.FROM_CODE, *tables.FROM_CELLS])
def test_a_table_is_the_one_that_the_code_prints(name):
    """Regenerate it with ``python -m service.cli.tables``."""
    path = ROOT / tables.PLACES[name]
    found = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", path.read_text(), re.DOTALL)
    assert len(found) == 1, f"{path} has one block <!-- {name} --> ... <!-- /{name} -->"
    wanted = tables.table(name, ROOT / tables.CELLS)
    assert found[0].strip() == wanted, f"run: python -m service.cli.tables {name}"


def test_the_readme_is_two_screens():
    assert SHORTEST_README <= len((ROOT / "README.md").read_bytes()) <= LONGEST_README


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(path):
    for target in LINK.findall(path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target
