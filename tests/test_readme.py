"""The README's tables of settings, metrics and statuses are what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.cli import tables

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", ["settings", "metrics", "statuses"])
def test_a_table_of_the_readme_is_the_one_that_the_code_prints(name):
    """Regenerate it with ``prefixel tables NAME``."""
    found = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", README.read_text(), re.DOTALL)
    assert len(found) == 1, f"the README has one block <!-- {name} --> ... <!-- /{name} -->"
    assert found[0].strip() == getattr(tables, name)(), f"run: prefixel tables {name}"
