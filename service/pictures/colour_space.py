"""Colours told by numbers and not by a profile: primaries and a transfer function, made into one.

Code points are those of ITU-T H.273, as AVIF, HEIC (nclx) and PNG (cICP) write them; PNG's cHRM
and gAMA are numbers. What comes out is an ICC profile (ICC.1:2010) for the same conversion that
embedded profiles take.

PQ and HLG reach far above the white of a page. They are tone-mapped channel by channel by the EETF
of ITU-R BT.2390 (a Hermite knee in PQ), from a display of 1000 cd/m2 to 203 cd/m2, the reference
white of ITU-R BT.2408, which is then sRGB's white.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Points = tuple[float, ...]
"""x and y of white, red, green and blue, as PNG orders them."""

CURVE_SIZE = 4096
D50 = np.array((0.9642, 1.0, 0.8249))
BRADFORD = np.array(
    ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
)
D65_WHITE, C_WHITE, DCI_WHITE, EQUAL_WHITE = (
    (0.3127, 0.329),
    (0.31, 0.316),
    (0.314, 0.351),
    (1 / 3, 1 / 3),
)

SRGB_POINTS: Points = (*D65_WHITE, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
SMPTE_C = (*D65_WHITE, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07)
PRIMARIES: dict[int, Points] = {
    1: SRGB_POINTS,
    4: (*C_WHITE, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65_WHITE, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: SMPTE_C,
    7: SMPTE_C,
    8: (*C_WHITE, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*D65_WHITE, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    10: (*EQUAL_WHITE, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (*DCI_WHITE, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*D65_WHITE, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    22: (*D65_WHITE, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
"""H.273, table 2. 2 is unspecified; what is not here is taken for sRGB's."""

SOURCE_PEAK, REFERENCE_WHITE = 1000.0, 203.0
SRGB_GAMMA_TOLERANCE = 0.05
"""gAMA 45455 is how sRGB's curve is written; libpng, too, takes what is this near as the same."""


def _srgb(codes: Floats) -> Floats:
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def _pq(codes: Floats) -> Floats:
    """cd/m2 of SMPTE ST 2084."""
    root = codes ** (1 / 78.84375)
    light: Floats = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return 10_000 * light ** (1 / 0.1593017578125)


def _pq_codes(nits: Floats) -> Floats:
    """The inverse of ``_pq``."""
    power = (nits / 10_000) ** 0.1593017578125
    codes: Floats = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return codes


def _hlg(codes: Floats) -> Floats:
    """cd/m2 of ITU-R BT.2100 on a display of 1000, its gamma of 1.2 taken channel by channel."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)
    return SOURCE_PEAK * scene**1.2


def _tone_mapped(nits: Floats) -> Floats:
    """0..1 of the reference white (ITU-R BT.2390, 5.4.1, without a lift of black)."""
    top = float(_pq_codes(np.array(SOURCE_PEAK)))
    white = float(_pq_codes(np.array(REFERENCE_WHITE))) / top
    codes = np.minimum(_pq_codes(nits) / top, 1)
    knee = 1.5 * white - 0.5
    t = np.clip((codes - knee) / (1 - knee), 0, 1)
    curved = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * white
    )
    return _pq(np.where(codes < knee, codes, curved) * top) / REFERENCE_WHITE


TRANSFERS: dict[int, Callable[[Floats], Floats]] = {
    4: lambda codes: codes**2.2,
    5: lambda codes: codes**2.8,
    8: lambda codes: codes,
    9: lambda codes: np.where(codes > 0, 10 ** (2 * (codes - 1)), 0),
    10: lambda codes: np.where(codes > 0, 10 ** (2.5 * (codes - 1)), 0),
    16: lambda codes: _tone_mapped(_pq(codes)),
    17: lambda codes: codes**2.6 * (52.37 / 48),
    18: lambda codes: _tone_mapped(_hlg(codes)),
}
"""H.273, table 3: code value -> light, 0..1. What is not here is taken for sRGB's.

So are the camera curves of BT.709, 601 and 2020 (1, 6, 7, 11, 12, 14, 15): they say how light
became codes, and a display undoes them by about the curve that sRGB has.
"""


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """Primaries, a transfer by its H.273 code or by ``gamma`` (its exponent), and the range."""

    points: Points
    transfer: int = 13
    gamma: float = 0.0
    is_full_range: bool = True

    def profile(self, is_grey: bool) -> bytes:
        """An ICC profile for RGB, or for grey."""
        return _profile(self, is_grey)

    def curve(self) -> Floats:
        """Light, 0..1, of CURVE_SIZE codes."""
        codes = np.linspace(0, 1, CURVE_SIZE)
        if not self.is_full_range:
            codes = np.clip((codes * 255 - 16) / 219, 0, 1)
        light = codes**self.gamma if self.gamma else TRANSFERS.get(self.transfer, _srgb)(codes)
        return np.clip(light, 0, 1)


def coded_colour(primaries: int, transfer: int, is_full_range: bool = True) -> ColourSpace | None:
    """The colour space of two code points; None where that is sRGB."""
    points = PRIMARIES.get(primaries, SRGB_POINTS)
    if points == SRGB_POINTS and transfer not in TRANSFERS and is_full_range:
        return None
    return ColourSpace(points, transfer, is_full_range=is_full_range)


def measured_colour(file_gamma: float, points: Points) -> ColourSpace | None:
    """That of PNG's gAMA and cHRM; None where it is sRGB, or where the numbers make no sense."""
    if not 0.01 <= file_gamma <= 10:
        return None
    is_usual = abs(file_gamma * 2.2 - 1) <= SRGB_GAMMA_TOLERANCE
    if not points or not _make_sense(points):
        points = SRGB_POINTS
    near = all(abs(a - b) < 0.002 for a, b in zip(points, SRGB_POINTS, strict=True))
    if near and is_usual:
        return None
    return ColourSpace(points, gamma=0.0 if is_usual else 1 / file_gamma)


def _make_sense(points: Points) -> bool:
    """Whether white lies inside the triangle of the primaries, so that all of them shine."""
    if any(y < 0 or not 0 <= x <= 1 for x, y in _pairs(points)) or points[1] <= 0:
        return False
    columns = _columns(points)
    if abs(np.linalg.det(columns)) < 1e-6:
        return False
    return bool((np.linalg.solve(columns, _xyz(*points[:2])) > 0).all())


def _pairs(points: Points) -> list[tuple[float, float]]:
    return list(zip(points[::2], points[1::2], strict=True))


def _xyz(x: float, y: float) -> Floats:
    """X, Y, Z of a chromaticity, Y being 1 (or, where y is 0, of x, y, z themselves)."""
    return np.array((x, y, 1 - x - y)) / (y or 1)


def _columns(points: Points) -> Floats:
    return np.column_stack([np.array((x, y, 1 - x - y)) for x, y in _pairs(points)[1:]])


def _to_d50(points: Points) -> Floats:
    """RGB light -> XYZ under ICC's white, adapted by Bradford's matrix; [3, 3]."""
    white, columns = _xyz(*points[:2]), _columns(points)
    to_xyz = columns * np.linalg.solve(columns, white)
    gains = (BRADFORD @ D50) / (BRADFORD @ white)
    adapted: Floats = np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD @ to_xyz
    return adapted


@lru_cache(maxsize=64)
def _profile(space: ColourSpace, is_grey: bool) -> bytes:
    samples = np.rint(space.curve() * 65535).astype(">u2")
    curve = b"curv\0\0\0\0" + struct.pack(">I", CURVE_SIZE) + samples.tobytes()
    tags = {b"desc": _text("desc"), b"cprt": _text("text"), b"wtpt": _xyz_tag(D50)}
    if is_grey:
        tags[b"kTRC"] = curve
    else:
        matrix = _to_d50(space.points)
        for channel, name in enumerate((b"r", b"g", b"b")):
            tags[name + b"XYZ"] = _xyz_tag(matrix[:, channel])
            tags[name + b"TRC"] = curve
    return _file(b"GRAY" if is_grey else b"RGB ", tags)


def _fixed(numbers: Floats) -> bytes:
    return np.rint(numbers * 65536).astype(">i4").tobytes()


def _xyz_tag(numbers: Floats) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(numbers)


def _text(kind: str) -> bytes:
    words = b"Made of code points\0"
    if kind == "text":
        return b"text\0\0\0\0" + words
    return b"desc\0\0\0\0" + struct.pack(">I", len(words)) + words + bytes(4 + 4 + 2 + 1 + 67)


def _file(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile of version 2.4 to XYZ; equal tags share their bytes."""
    at, table, bodies, known = 128 + 4 + 12 * len(tags), b"", b"", dict[bytes, int]()
    for name, body in tags.items():
        if body not in known:
            known[body] = at + len(bodies)
            bodies += body + bytes(-len(body) % 4)
        table += name + struct.pack(">II", known[body], len(body))
    head = struct.pack(">I4xI4s4s4s", at + len(bodies), 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies
