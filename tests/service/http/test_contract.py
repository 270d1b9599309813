"""What the OpenAPI document promises is what the service does: schemathesis finds nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.photos import encoded
from tests.support.server import running_service

CONFIG = Path(__file__).with_name("schemathesis.toml")
SEED = 20150101
EXAMPLES = 5


def check(url: str, config: Path, *arguments: str) -> None:
    """Run schemathesis; fails with its report."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run"]
    options = ["--phases", "coverage,fuzzing", "--seed", SEED, "--max-examples", EXAMPLES]
    run = subprocess.run(
        [*map(str, (*command, f"{url}/openapi.json", *options)), "--no-color", *arguments],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]


@pytest.mark.timeout(300)
def test_nothing_contradicts_the_document_for_any_id():
    with running_service(PREFIXEL_DELETE_TOKENS="secret") as server:
        check(server.url, CONFIG, "-H", "Authorization: Bearer secret")


@pytest.mark.timeout(300)
def test_nothing_contradicts_the_document_for_an_image_that_is_there(tmp_path):
    """Of it alone: the other routes were asked above, and what no schema allows, which is refused
    before an image is looked for. Nobody may delete it, so that it stays."""
    with running_service() as server:
        id = httpx.post(f"{server.url}/v1/images", content=encoded("jpeg")).json()["id"]
        config = tmp_path / CONFIG.name
        text = CONFIG.read_text().replace("[parameters]\n", f'[parameters]\n"path.id" = "{id}"\n')
        config.write_text(text)
        check(server.url, config, "--include-path-regex", "{id}", "--mode", "positive")
        assert httpx.get(f"{server.url}/v1/images/{id}").status_code == 200
