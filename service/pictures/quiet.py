"""Keeps libtiff from writing on stderr, where a damaged fax alone is worth thousands of lines."""

from __future__ import annotations

import ctypes

from PIL import _imaging


def silence_libtiff() -> bool:
    """Take libtiff's error handler away, for the whole process; errors still come as results.

    Pillow silences its warnings but not its errors, and has no switch for them. True when the
    function was found: a Pillow built otherwise than its wheels may hide it.
    """
    try:
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):
        return False
    set_handler.argtypes, set_handler.restype = (ctypes.c_void_p,), ctypes.c_void_p
    set_handler(None)
    return True
