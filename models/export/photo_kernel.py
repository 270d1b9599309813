"""``python -m models.export.photo_kernel``: the kit's ``photo/kernel/*.ts`` -> ``photo/kernel.js``.

AssemblyScript's compiler does it, of the packages that ``npm ci`` puts into tests/kit/bundlers. The
module is inlined as text: it needs no request of its own, nor a bundler that knows its kind.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from models.export.browser import PHOTO
from models.export.kernel import javascript
from models.export.script import PACKAGES

SOURCE, MODULE = PHOTO / "kernel", PHOTO / "kernel.js"
COMMAND = "python -m models.export.photo_kernel"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES, help="folder (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if not current")
    return parser.parse_args()


def main() -> None:
    """Write the module, or compare."""
    options = arguments()
    made = module(options.packages)
    if options.check:
        sys.exit(0 if made == MODULE.read_text() else f"{MODULE} is not made of {SOURCE.name}/*.ts")
    MODULE.write_text(made)
    print(f"{len(made)} bytes  {MODULE.name}")


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
