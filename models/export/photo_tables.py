"""The artifact of ``photo`` -> its tables as a module of the browser kit, packed for gzip.

`service/static/kit/photo/tables.js` says how they are unpacked, and undoes what is here.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from service.codec.artifact import Artifact
from service.codec.photo import tables
from service.codec.photo.bitplane_coder import STRETCH_LIMIT

ZERO = 72
"""The character of 0 in a text of signed bytes: few then take an escape, or two bytes of UTF-8."""
_UNTOLD = 128
Whole = NDArray[np.int64]


def tables_module(one: Artifact) -> bytes:
    """The tables as the default export of a module."""
    stored = tables.read(one.tables())
    seen = stored.seen.astype(np.int64)
    changes = logit_changes(stored.logits.astype(np.int64), seen)
    values = {
        "version": one.manifest.version,
        "step": int(stored.step[0]),
        "colours": _list(stored.colours),
        "scales": _list(stored.scales),
        "usual": _list(stored.usual),
        "centroids": _list(stored.centroids),
        "mixing": _list(stored.mixing),
        "slopes": _list(slope_changes(stored.slopes.astype(np.int64))),
        "squash": _text(squash_changes(stored.squash.astype(np.int64))),
        "seen": _text(seen.T[:, ::2] * len(tables.SEEN) + seen.T[:, 1::2]),
        "likely": _text(changes[seen > 0]),
        "unseen": _text(changes[seen == 0]),
    }
    lines = (
        f"  {name}: {json.dumps(value, separators=(',', ':'), ensure_ascii=False)},\n"
        for name, value in values.items()
    )
    head = "/** Made by `python -m models.export.browser`: FORMAT.md, Photo tables. */\n"
    return (head + "export default {\n" + "".join(lines) + "};\n").encode()


def _list(array: NDArray[np.integer]) -> list[int]:
    found: list[int] = array.ravel().tolist()
    return found


def _text(array: Whole) -> str:
    return "".join(chr((number + ZERO) % 256) for number in array.ravel().tolist())


def slope_changes(slopes: Whole) -> Whole:
    """Differences along orders, then along planes: [orders, 3, 4, levels, planes, kinds]."""
    changes = np.diff(slopes, axis=0, prepend=0)
    return np.diff(changes, axis=4, prepend=0)


def squash_changes(squash: Whole) -> Whole:
    """Second differences of the first half, which begins at 1; the other half mirrors it."""
    assert squash[0] == 1
    assert (squash + squash[::-1] == 65536).all()
    return np.diff(np.diff(squash[: STRETCH_LIMIT + 1]), prepend=0)


def logit_changes(logits: Whole, seen: Whole) -> Whole:
    """What was seen, less its prediction by neighbours; the rest, less the last that was not."""
    left, above, corner = (np.full_like(logits, _UNTOLD) for _ in range(3))
    left[:, 1:], above[1:], corner[1:, 1:] = logits[:, :-1], logits[:-1], logits[:-1, :-1]
    low, high = np.minimum(left, above), np.maximum(left, above)
    changes: Whole = logits - np.clip(left + above - corner, low, high)
    for row, mask, out in zip(logits, seen == 0, changes, strict=True):
        out[mask] = np.diff(row[mask], prepend=_UNTOLD)
    return changes
