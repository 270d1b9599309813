"""``python -m models.export.photo_kernel``: the kit's ``photo/kernel/*.ts`` -> ``photo/kernel.js``.

AssemblyScript's compiler does it, of the packages that ``npm ci`` puts into tests/kit/bundlers. The
module is inlined as text: it needs no request of its own, nor a bundler that knows its kind.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from models.export import kept_current
from models.export.browser import PHOTO
from models.export.kernel import javascript

SOURCE, MODULE = PHOTO / "kernel", PHOTO / "kernel.js"
COMMAND = "python -m models.export.photo_kernel"


def main() -> None:
    """Write the module, or compare."""
    source = f"{SOURCE.name}/*.ts"
    kept_current.main(COMMAND, __doc__, MODULE, lambda at: module(at).encode(), source)


def module(packages: Path) -> str:
    """JavaScript that exports the compiled bytes. Raises CalledProcessError."""
    return javascript(compiled(packages), "kernel/*.ts", COMMAND)


def compiled(packages: Path) -> bytes:
    """The WebAssembly module: it takes its memory as ``env.memory``, and allocates nothing."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "kernel.wasm"
        command = [
            "node",
            packages / "assemblyscript" / "bin" / "asc.js",
            "index.ts",
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
