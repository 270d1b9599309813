"""Small ICC profiles whose effect is known exactly, so that a test sees whether one was used."""

from __future__ import annotations

import itertools
import struct

RED, GREEN, BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
"""The colorants of sRGB under the profile's white, D50."""

WHITE = (0.9642, 1.0, 0.8249)


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _xyz(numbers: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*numbers)


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(WHITE), **tags}
    at, table, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", at, len(body))
        at += len(body)
        bodies += body
    head = struct.pack(
        ">I4sI4s4s4s12s4s4sIII8sI12s4s44x",
        at,
        b"\0\0\0\0",
        0x02400000,
        kind,
        space,
        connection,
        bytes(12),
        b"acsp",
        b"\0\0\0\0",
        0,
        0,
        0,
        bytes(8),
        0,
        _fixed(*WHITE),
        b"\0\0\0\0",
    )
    return head + struct.pack(">I", len(tags)) + table + bodies


def swapped_rgb() -> bytes:
    """An RGB profile whose red is sRGB's blue and the other way round, with a gamma of 2.2."""
    curve = _gamma(2.2)
    return _profile(
        b"mntr",
        b"RGB ",
        b"XYZ ",
        {
            b"rXYZ": _xyz(BLUE),
            b"gXYZ": _xyz(GREEN),
            b"bXYZ": _xyz(RED),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def linear_grey() -> bytes:
    """A grey profile whose samples are light itself."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(1.0)})


def black_only_cmyk() -> bytes:
    """A CMYK profile in which any full ink is black: L* falls in a straight line."""
    identity = bytes(range(256))
    corners = b"".join(
        bytes((0 if any(inks) else 255, 128, 128)) for inks in itertools.product((0, 1), repeat=4)
    )
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return _profile(
        b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut + identity * 4 + corners + identity * 3}
    )
