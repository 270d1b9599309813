"""What the names of weights end with in a graph: how they are kept, and their scales."""

from __future__ import annotations

HALF, BYTES, SCALE = ".f16", ".i8", ".scale"
