"""The browser kit's own tests (node --test), and that what is generated is current."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from models.export import kernel, photo_kernel
from models.export.browser import (
    PHOTO,
    PHOTO_WIRE_ID,
    THUMB,
    generate,
    generate_photo,
    generated,
    shipped,
)
from tests.support.npm import node, tools

HERE = Path(__file__).parent
RENEW = "run python -m models.export.browser"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    from tests.kit.cases import write
    from tests.support.torch_export import one_registry

    folder = tmp_path_factory.mktemp("cases")
    with one_registry():
        write(folder)
    return folder


@pytest.mark.parametrize("script", sorted(path.name for path in HERE.glob("*.test.js")))
def test_the_kit_does_what_the_service_does(cases: Path, script: str) -> None:
    done = subprocess.run(
        [node(), "--test", HERE / script],
        env={**os.environ, "KIT_CASES": str(cases)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tables_and_weights_of_the_kit_are_those_of_the_artifact() -> None:
    photos = [one for one in shipped() if one.manifest.wire_id == PHOTO_WIRE_ID]
    thumbs = [one for one in shipped() if one.manifest.wire_id != PHOTO_WIRE_ID]
    assert generated(THUMB) == generate(thumbs), RENEW
    assert generated(PHOTO) == generate_photo(photos), RENEW


def test_the_kernel_of_the_kit_is_made_of_its_source() -> None:
    made = kernel.module(kernel.SOURCE.read_text())
    assert kernel.MODULE.read_text() == made, "run python -m models.export.kernel"


@pytest.mark.parametrize("target", photo_kernel.MODULES, ids=lambda target: target.name)
def test_the_kernels_of_photos_are_made_of_their_source(target: Path) -> None:
    node()
    made = photo_kernel.module(tools("assemblyscript"), photo_kernel.MODULES[target])
    assert target.read_bytes() == made, f"run {photo_kernel.COMMAND}"
