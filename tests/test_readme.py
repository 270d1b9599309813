"""The README's tables are what the code says, and what the evaluation in ``docs`` measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.cli import tables

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", [*tables.FROM_CODE, *tables.FROM_CELLS])
def test_a_table_of_the_readme_is_the_one_that_the_code_prints(name):
    """Regenerate it with ``prefixel tables NAME --into README.md``."""
    found = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", README.read_text(), re.DOTALL)
    assert len(found) == 1, f"the README has one block <!-- {name} --> ... <!-- /{name} -->"
    wanted = tables.table(name, README.parent / tables.CELLS)
    assert found[0].strip() == wanted, f"run: prefixel tables {name} --into README.md"
