"""What ``prefixel serve`` says to whoever started it on a terminal; a log says the rest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Timer
from typing import TextIO

PATIENCE_SECONDS = 2.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def greeting(host: str, port: int, terminal: TextIO = sys.stderr) -> Callable[[], None]:
    """Say that it starts, and soon why it takes long; call the result when it is ready.

    Says nothing where there is no terminal.
    """
    if not terminal.isatty():
        return lambda: None

    def say(words: str) -> None:
        print(f"prefixel: {words}", file=terminal, flush=True)

    say("loading the codecs")
    waiting = Timer(
        PATIENCE_SECONDS,
        say,
        ["still loading: a first start compiles them for this machine, once; it takes a minute"],
    )
    waiting.daemon = True
    waiting.start()

    def ready() -> None:
        waiting.cancel()
        shown = EVERYWHERE.get(host, host)
        say(f"open http://{f'[{shown}]' if ':' in shown else shown}:{port}/  (Ctrl-C stops it)")

    return ready
