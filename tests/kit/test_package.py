"""The kit as a package of npm: what it names is there, and npm has nothing to say against it."""

from __future__ import annotations

import json
import subprocess

from models.export.browser import KIT, ROOT
from tests.support.npm import node


def test_the_package_names_only_what_is_there():
    package = json.loads((KIT / "package.json").read_text())
    for entry in package["exports"].values():
        for name in [entry] if isinstance(entry, str) else entry.values():
            assert (KIT / name).is_file(), name
    for name in (*package["sideEffects"], package["main"], package["types"], package["unpkg"]):
        assert (KIT / name).is_file(), name
    assert (KIT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_npm_packs_all_that_is_needed_without_a_warning():
    node()
    command = ["npm", "pack", "--dry-run", "--json"]
    done = subprocess.run(command, cwd=KIT, check=True, capture_output=True, text=True)
    assert "warn" not in done.stderr.lower()
    [packed] = json.loads(done.stdout)
    names = {file["path"] for file in packed["files"]}
    entries = {"index.js", "element.js", "react.js", "prefixel.js", "worker/worker.js"}
    assert {"LICENSE", "README.md", "element/frame.js", "thumb/versions.js"} | entries <= names
    assert not [name for name in names if name.startswith("gallery/")]
