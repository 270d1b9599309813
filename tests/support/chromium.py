"""Which Chromium tests drive: the system's, without its windows where there is one."""

from __future__ import annotations

import shutil

WITHOUT_WINDOWS, WHOLE = "chromium-headless-shell", "chromium"


def program(*, whole: bool = False) -> str | None:
    """Its path; None where none is installed.

    Without its windows a page takes a quarter of the time, and is the same; measurements ask for
    the ``whole``.
    """
    names = (WHOLE, WITHOUT_WINDOWS) if whole else (WITHOUT_WINDOWS, WHOLE)
    return next((path for path in map(shutil.which, names) if path), None)
