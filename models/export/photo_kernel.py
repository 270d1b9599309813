"""``python -m models.export.photo_kernel``: the kit's ``photo/kernel/*.ts`` -> its modules.

    kernel.js            of index.ts: parse and wavelet
    network_kernel.js    of network.ts: it is fetched with the weights of the synthesis network

AssemblyScript's compiler does it, of the packages that ``npm ci`` puts into tests/kit/bundlers. A
module is inlined as text: it needs no request of its own, nor a bundler that knows its kind.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from models.export import kept_current
from models.export.browser import PHOTO
from models.export.kernel import javascript

SOURCE = PHOTO / "kernel"
MODULES = {PHOTO / "kernel.js": "index.ts", PHOTO / "network_kernel.js": "network.ts"}
COMMAND = "python -m models.export.photo_kernel"


def main() -> None:
    """Write the modules, or compare."""
    made = {target: partial(module, source=source) for target, source in MODULES.items()}
    kept_current.main(COMMAND, __doc__, made, f"{SOURCE.name}/*.ts")


def module(packages: Path, source: str) -> bytes:
    """JavaScript that exports the compiled bytes. Raises CalledProcessError."""
    return javascript(compiled(packages, source), f"{SOURCE.name}/{source}", COMMAND).encode()


def compiled(packages: Path, source: str) -> bytes:
    """The WebAssembly module: it takes its memory as ``env.memory``, and allocates nothing."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "kernel.wasm"
        command: list[str | Path] = [
            "node",
            packages / "assemblyscript" / "bin" / "asc.js",
            source,
            f"--outFile={out}",
            "-O3",
            "--noAssert",
            "--runtime=stub",
            "--importMemory",
            "--enable=simd",
            "--enable=nontrapping-f2i",
        ]
        subprocess.run(command, cwd=SOURCE, check=True, stdout=sys.stderr)
        return out.read_bytes()


if __name__ == "__main__":
    main()
