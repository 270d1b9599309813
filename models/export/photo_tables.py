"""The artifact of ``photo`` -> its tables as a module of the browser kit, packed for gzip.

`service/static/kit/photo/tables.js` says how they are unpacked, and undoes what is here.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.export import photo_models
from models.export.kit import literal
from service.codec.artifact import Artifact
from service.codec.photo import tables
from service.codec.photo.bitplane_coder import STRETCH_LIMIT
from service.codec.photo.order import OCTAVE, PLANES

_UNTOLD = 128
Whole = NDArray[np.int64]


def path_of(one: Artifact, *, networks: bool) -> Path:
    """The tables of streams with networks, or without."""
    return one.closed_form() if one.manifest.graphs and not networks else one.tables()


def tables_module(one: Artifact, *, networks: bool = False) -> bytes:
    """The tables as the default export of a module."""
    opened = tables.opened(path_of(one, networks=networks))
    stored = opened.stored
    mixing = np.diff(stored.mixing.astype(np.int64), axis=0, prepend=0)
    slopes = slope_changes(stored.slopes.astype(np.int64))
    others: list[Whole] = [slopes.ravel()]
    if stored.wide:
        sign_mixing = stored.wide.sign_mixing.astype(np.int64)
        weights: Whole = np.diff(sign_mixing, axis=0, prepend=0).ravel()
        others += [weights, *map(logit_changes, stored.wide[:3])]
    packed = photo_models.pack(opened, mixing, np.concatenate(others))
    values = {
        "version": one.manifest.version,
        **({"hasNetworks": "true"} if networks else {}),
        "step": int(stored.step[0]),
        "colours": _list(stored.colours),
        "scales": _list(stored.scales),
        "usual": _list(stored.usual),
        "centroids": _text(stored.centroids.astype(np.int64) - _UNTOLD),
        "squash": _text(squash_changes(stored.squash.astype(np.int64))),
        # what is coded already gzip packs best as base64
        "packed": json.dumps(base64.b64encode(packed).decode()),
    }
    lines = (f"  {name}: {value},\n" for name, value in values.items())
    head = "/** Made by `python -m models.export.browser`: FORMAT.md, Photo tables. */\n"
    return (head + "export default {\n" + "".join(lines) + "};\n").encode()


def _list(array: NDArray[np.integer]) -> str:
    return json.dumps(array.ravel().tolist(), separators=(",", ":"))


def _text(array: Whole) -> str:
    return literal(array.ravel().tolist())


def logit_changes(logits: NDArray[np.uint8]) -> Whole:
    """Of each to the one before."""
    changes: Whole = np.diff(logits.ravel().astype(np.int64), prepend=_UNTOLD)
    return changes


def slope_changes(slopes: Whole) -> Whole:
    """Less a bit a plane, differences along orders, then along planes.

    ``slopes``: [orders, 3, 4, levels, planes, kinds]."""
    usual = 2 * OCTAVE * np.arange(PLANES)[:, None]
    changes = np.diff(slopes - usual, axis=0, prepend=0)
    return np.diff(changes, axis=4, prepend=0)


def squash_changes(squash: Whole) -> Whole:
    """Second differences of the first half, which begins at 1; the other half mirrors it."""
    assert squash[0] == 1
    assert (squash + squash[::-1] == 65536).all()
    return np.diff(np.diff(squash[: STRETCH_LIMIT + 1]), prepend=0)
