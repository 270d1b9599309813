"""MS-SSIM and SSIMULACRA2's errors of a picture, and how they change with each of its samples.

An encoder's search asks for both; ``models.photo`` has the same in torch, whose slopes these are
held to. Wang et al. 2003; Sneyers 2022. Where SSIMULACRA2 takes zeros around a picture, a mirror
stands here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.quality.ms_ssim import C1, C2, SCALE_WEIGHTS
from service.quality.windows import Planes, doubled, halved, inside, mirrored, outside

LEAST = np.float32(1e-4)
"""A channel's mean contrast at a scale counts as no less."""
MIDDLE = np.float32(128)
ABSORBED = np.array(
    [[0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342268925, 0.20476744424, 0.55180986651]],
    np.float32,
)
"""Rows: how much of linear R, G, B each cone takes (JPEG XL's opsin matrix)."""
BIAS = np.float32(0.0037930732552754493)
EDGE_C2 = np.float32(0.0009)
SEEN_SCALES, SEEN_SIDE = 6, 8
SIZE = 0.9562382616834844
CURVE = 2.326765642916932, -0.020884521182843837, 6.248496625763138e-05
"""A weighted sum becomes errors: a cubic without constant."""
Weights = NDArray[np.float32]


def ms_ssim_slope(photo: Planes, shown: Planes) -> tuple[float, Planes]:
    """MS-SSIM of float32 [3, H, W] in 0..255, sides over 160, and its slope along ``shown``."""
    x, y = photo - MIDDLE, shown - MIDDLE  # squares of smaller numbers
    scales, product = [], np.ones(len(photo))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = halved(x), halved(y)
        last = scale == len(SCALE_WEIGHTS) - 1
        terms, slopes = _contrast(x, y, is_last=last)
        found = np.maximum(terms.mean((1, 2)), LEAST)
        product *= found**weight
        scales.append((y, slopes, (weight / found / terms[0].size).astype(np.float32)))
    each = (product / len(photo)).astype(np.float32)
    slope: Planes | None = None
    for y, slopes, share in reversed(scales):
        own = slopes * (each * share)[:, None, None]
        slope = own if slope is None else own + doubled(slope, y)
    assert slope is not None
    return float(product.mean()), slope


def _contrast(x: Planes, y: Planes, *, is_last: bool) -> tuple[Planes, Planes]:
    """Contrast and structure of each window (and luminance), and what samples change the sum."""
    mx, my, squares, both = (inside(part) for part in (x, y, x * x + y * y, x * y))
    spread = squares - mx * mx - my * my + np.float32(C2)
    term = (2 * (both - mx * my) + np.float32(C2)) / spread
    of_both, of_square = 2 / spread, -term / spread
    of_mean = (2 * my * term - 2 * mx) / spread
    if is_last:
        mx, my = mx + MIDDLE, my + MIDDLE
        light_spread = mx * mx + my * my + np.float32(C1)
        light = (2 * mx * my + np.float32(C1)) / light_spread
        of_mean = of_mean * light + term * (2 * mx - 2 * my * light) / light_spread
        of_both, of_square, term = of_both * light, of_square * light, term * light
    slopes = outside(of_mean) + x * outside(of_both) + 2 * y * outside(of_square)
    return term, slopes


def seen_slope(photo: Planes, shown: Planes, weights: Weights) -> tuple[float, Planes]:
    """SSIMULACRA2's errors of float32 [3, H, W] in 0..255, and their slope along ``shown``.

    ``weights`` float32 [3, 6, 2, 3]: the metric's, by channel, scale, norm and kind of error.
    """
    x, (y, along) = _linear(photo)[0], _linear(shown)
    scales, total = [], 0.0
    for scale in range(SEEN_SCALES):
        if min(x.shape[1:]) < SEEN_SIDE:
            break
        if scale:
            x, y = halved(x), halved(y)
        found, slope = _seen(x, y, weights[:, scale])
        total += found
        scales.append((y, slope))
    slope = np.zeros_like(scales[-1][0])
    for n in range(len(scales) - 1, -1, -1):
        slope = scales[n][1] + (doubled(slope, scales[n][0]) if n < len(scales) - 1 else 0)
    raw = SIZE * total
    first, second, third = CURVE
    errors = first * raw + second * raw**2 + third * raw**3
    steep = SIZE * (first + 2 * second * raw + 3 * third * raw**2)
    return errors, np.asarray(np.float32(steep) * slope * along, np.float32)


def _linear(photo: Planes) -> tuple[Planes, Planes]:
    """sRGB in 0..255 as linear light in 0..1, and its slope; none where it is clipped."""
    rgb = np.clip(photo, 0, 255) * np.float32(1 / 255)
    base = (np.maximum(rgb, np.float32(0.04)) + np.float32(0.055)) * np.float32(1 / 1.055)
    power = base ** np.float32(1.4)
    is_dark = rgb <= np.float32(0.04045)
    light = np.where(is_dark, rgb * np.float32(1 / 12.92), power * base)
    slope = np.where(is_dark, np.float32(1 / 12.92), power * np.float32(2.4 / 1.055))
    within = (photo >= 0) & (photo <= 255)
    return light, slope * within * np.float32(1 / 255)


def _xyb(linear: Planes) -> tuple[Planes, Planes]:
    """XYB of linear light, and the slopes of the three cube roots."""
    mixed = np.tensordot(ABSORBED, linear, 1) + BIAS
    root = np.cbrt(mixed)
    long, middle, short = root - np.cbrt(BIAS)
    x, y = (long - middle) / 2, (long + middle) / 2
    xyb = np.stack((14 * x + np.float32(0.42), y + np.float32(0.01), short - y + np.float32(0.55)))
    return xyb, 1 / (3 * root * root)


def _seen(linear_x: Planes, linear_y: Planes, weights: Weights) -> tuple[float, Planes]:
    """One scale: the weighted sum of its errors, and its slope along linear light."""
    x, (y, steep) = _xyb(linear_x)[0], _xyb(linear_y)
    mx, my, xx, yy, xy = (mirrored(part) for part in (x, y, x * x, y * y, x * y))
    apart = mx - my
    light = 1 - apart * apart
    common = 2 * (xy - mx * my) + EDGE_C2
    spread = xx - mx * mx + yy - my * my + EDGE_C2
    structure = 1 - light * common / spread
    sharp_x, sharp_y = 1 + np.abs(x - mx), 1 + np.abs(y - my)
    edges = sharp_y / sharp_x - 1
    total = 0.0
    told = []
    for kind, term in enumerate((structure, edges, -edges)):
        error = np.maximum(term, 0)
        cube = error * error * error
        fourth = ((cube * error).mean((1, 2), dtype=np.float64) + 1e-20) ** 0.25
        mean = error.mean((1, 2), dtype=np.float64)
        total += float((weights[:, 0, kind] * mean + weights[:, 1, kind] * fourth).sum())
        count = error[0].size
        first = (weights[:, 0, kind] / count).astype(np.float32)[:, None, None]
        second = (weights[:, 1, kind] / count / fourth**3).astype(np.float32)[:, None, None]
        told.append((first + second * cube) * (term > 0))
    of_structure, of_edges = told[0], (told[1] - told[2]) * np.sign(y - my) / sharp_x
    over = of_structure / spread
    of_common = -over * light
    of_spread = over * light * common / spread
    of_mean = -2 * over * apart * common - 2 * mx * of_common - 2 * my * of_spread - of_edges
    slope = mirrored(of_mean) + x * mirrored(2 * of_common) + 2 * y * mirrored(of_spread) + of_edges
    return total, _from_xyb(slope, steep)


def _from_xyb(slope: Planes, steep: Planes) -> Planes:
    """Slopes along XYB as slopes along linear light."""
    of_x, of_y, of_b = 14 * slope[0], slope[1] - slope[2], slope[2]
    roots = np.stack(((of_x + of_y) / 2, (of_y - of_x) / 2, of_b)) * steep
    return np.asarray(np.tensordot(ABSORBED.T, roots, 1), np.float32)
