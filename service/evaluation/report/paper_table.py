"""Table 1 of Toderici et al. 2015, as printed: SSIM on 32x32 thumbnails at 64 and 128 bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "Toderici et al. 2015, Table 1"
TARGETS = (64, 128)


@dataclass(frozen=True)
class Printed:
    """One row. ``ssim`` by target in bytes, headers excluded; ``spent_bytes`` where it is printed.

    ``names`` are the artifact or the baseline of this project that answers each target.
    """

    title: str
    names: Mapping[int, str]
    ssim: Mapping[int, float]
    spent_bytes: Mapping[int, float] | None = None


def _row(
    title: str, names: str | tuple[str, str], ssim: tuple[float, float], spent: tuple[float, ...]
) -> Printed:
    both = (names, names) if isinstance(names, str) else names
    return Printed(
        title,
        dict(zip(TARGETS, both, strict=True)),
        dict(zip(TARGETS, ssim, strict=True)),
        dict(zip(TARGETS, spent, strict=True)) if spent else None,
    )


ROWS = (
    _row("JPEG", "jpeg", (0.70, 0.80), (72.5, 133.0)),
    _row("JPEG 2000", "jpeg2000", (0.66, 0.77), (73.0, 156.0)),
    _row("WebP", "webp", (0.62, 0.73), (80.7, 128.2)),
    _row("Fully connected residual encoder, shared weights", "fc-shared", (0.46, 0.48), ()),
    _row("Fully connected residual encoder, distinct weights", "fc-distinct", (0.65, 0.75), ()),
    _row("Fully connected LSTM", "fc-lstm", (0.69, 0.81), ()),
    _row("Conv/deconv residual encoder, shared weights", "conv-shared", (0.45, 0.46), ()),
    _row("Conv/deconv residual encoder, distinct weights", "conv-distinct", (0.65, 0.75), ()),
    _row("Conv/deconv autoencoder", ("conv-ae-64", "conv-ae-128"), (0.76, 0.86), ()),
    _row("Conv/deconv LSTM", "conv-lstm", (0.77, 0.87), ()),
)
"""In the paper's order: today's codecs of 2015, then its seven systems."""

ORDER = (
    ("Conv/deconv LSTM", "Conv/deconv autoencoder"),
    ("Conv/deconv autoencoder", "JPEG"),
    ("Conv/deconv LSTM", "JPEG"),
    ("Fully connected LSTM", "JPEG"),
    ("Fully connected LSTM", "Fully connected residual encoder, distinct weights"),
    ("JPEG", "Fully connected residual encoder, distinct weights"),
    ("JPEG", "Conv/deconv residual encoder, distinct weights"),
    (
        "Fully connected residual encoder, distinct weights",
        "Fully connected residual encoder, shared weights",
    ),
    (
        "Conv/deconv residual encoder, distinct weights",
        "Conv/deconv residual encoder, shared weights",
    ),
)
"""Pairs whose order the paper's table shows: the first is the better (or, of FC LSTM and JPEG,
within .02)."""
