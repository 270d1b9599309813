"""``prefixel``: finds the sub-commands (one module each) and runs the one that was asked for.

Exit codes: 0 ok, 1 the work failed, 2 wrong use (arguments, settings, artifacts), 141
the output was closed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pkgutil import iter_modules

import shtab

import service.cli
from service.errors import PrefixelError, StartupError


def parser() -> argparse.ArgumentParser:
    """The whole command line; a module of this package with ``add_parser`` is a sub-command."""
    top = argparse.ArgumentParser(
        prog="prefixel",
        description="Photos as progressive streams: every prefix of a stream is a picture.",
    )
    top.add_argument("--version", action="version", version=f"prefixel {version('prefixel')}")
    shtab.add_argument_to(top, "--print-completion")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for found in sorted(iter_modules(service.cli.__path__), key=lambda module: module.name):
        module = import_module(f"{service.cli.__name__}.{found.name}")
        if hasattr(module, "add_parser"):
            module.add_parser(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command; its exit code."""
    chosen = parser().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
        sys.stdout.flush()
    except StartupError as wrong:
        print(f"prefixel: {wrong}", file=sys.stderr)
        return 2
    except PrefixelError as failed:
        print(f"prefixel: {failed.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


if __name__ == "__main__":
    sys.exit(main())
