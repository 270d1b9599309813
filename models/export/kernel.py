"""``python -m models.export.kernel``: the browser kit's ``kernel.wat`` -> ``kernel.js``.

The module is inlined as text so that it needs no request of its own. Its custom sections (names
for debuggers) are left out.
"""

from __future__ import annotations

import argparse
import sys

from wasmtime import wat2wasm

from models.export.kit import SHIFT, THUMB, literal

SOURCE, MODULE = THUMB / "kernel.wat", THUMB / "kernel.js"
_PREAMBLE_BYTES = 8
_CUSTOM = 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.kernel", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if not current")
    return parser.parse_args()


def main() -> None:
    """Write the module, or compare."""
    options = arguments()
    made = module(SOURCE.read_text())
    if options.check:
        sys.exit(0 if made == MODULE.read_text() else f"{MODULE} is not made of {SOURCE.name}")
    MODULE.write_text(made)
    print(f"{len(made)} bytes  {MODULE.name}")


def module(source: str) -> str:
    """JavaScript that exports the assembled bytes."""
    binary = without_custom_sections(bytes(wat2wasm(source)))
    return javascript(binary, SOURCE.name, "python -m models.export.kernel")


def javascript(binary: bytes, source: str, command: str) -> str:
    """A module of JavaScript that holds one of WebAssembly as text."""
    return (
        f"/** Made of {source} by `{command}`. */\n"
        f"const TEXT =\n  {literal(binary)};\n\n"
        "export function kernelModule() {\n"
        f"  return Uint8Array.from(TEXT, (letter) => letter.charCodeAt(0) - {SHIFT});\n"
        "}\n"
    )


def without_custom_sections(binary: bytes) -> bytes:
    """A WebAssembly module without its sections of kind 0."""
    kept, at = bytearray(binary[:_PREAMBLE_BYTES]), _PREAMBLE_BYTES
    while at < len(binary):
        begin, kind = at, binary[at]
        at += 1
        length = shift = 0
        while True:
            byte = binary[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        at += length
        if kind != _CUSTOM:
            kept += binary[begin:at]
    return bytes(kept)


if __name__ == "__main__":
    main()
