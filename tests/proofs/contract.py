"""schemathesis against the real service's /openapi.json, all checks and phases, at length.

    python -m tests.proofs.contract [--examples 200] [--seed 1]

``tests/service/http/test_contract.py`` runs the short version of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from tests.proofs.claims import Claims, heading
from tests.proofs.watching import real_service
from tests.service.http.test_contract import CONFIG
from tests.support.photos import encoded

TOKEN = "secret"


def prove(examples: int, seed: int) -> Claims:
    """For ids that are unknown (everything may be deleted), then for an image that is there."""
    claims = Claims()
    with tempfile.TemporaryDirectory() as folder:
        with real_service(PREFIXEL_DELETE_TOKENS=TOKEN) as server:
            code = run(server.url, CONFIG, examples, seed, "-H", f"Authorization: Bearer {TOKEN}")
            claims.claim(code == 0, "nothing contradicts the document, any id", f"code {code}")
        with real_service() as server:
            id = httpx.post(f"{server.url}/v1/images", content=encoded("jpeg")).json()["id"]
            text = CONFIG.read_text()
            known = text.replace("[parameters]\n", f'[parameters]\n"path.id" = "{id}"\n')
            config = Path(folder) / CONFIG.name
            config.write_text(known)
            code = run(server.url, config, examples, seed)
            claims.claim(code == 0, "the same for an image that is there", f"code {code}")
    return claims


def run(url: str, config: Path, examples: int, seed: int, *more: str) -> int:
    """schemathesis prints its own table; its exit code."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    options = ["--max-examples", str(examples), "--seed", str(seed), "--no-color", *more]
    return subprocess.run([*command, f"{url}/openapi.json", *options]).returncode


def main() -> int:
    """Print what schemathesis prints, and the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="of each operation")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    heading("The OpenAPI document")
    return prove(chosen.examples, chosen.seed).end()


if __name__ == "__main__":
    sys.exit(main())
