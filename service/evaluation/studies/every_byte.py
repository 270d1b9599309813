"""An embedded codec, cut at every byte.

    python -m service.evaluation.studies.every_byte --data DIR [--effort best --against default]

It prints the smallest step of the mean score from n bytes to n + 1 (negative: it falls), and how
many bytes a prefix has over the ideal code length of the symbols that it decides; against another
effort, the least that the mean score is above that one's at any length.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from service.codec.entropy.jit import compiled
from service.codec.entropy.range_coder import PRECISION
from service.codec.header import HEADER_BYTES
from service.codec.interface import Effort, Pixels
from service.codec.prefixel import bitplane_coder
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.prefixel.context_model import (
    COEFFICIENTS,
    LAST_PLANE,
    REFINEMENT,
    USUAL_ENERGY,
    Ints,
    Tables,
    class_at,
    context_of,
    energy_after,
    frequency_of,
    known_before,
)
from service.evaluation.report.tables import markdown
from service.evaluation.studies import study_cli
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

COMPARED_FROM_BYTES = 25
"""Efforts are for prefixes that show something."""
SHOWN_BYTES = (16, 32, 64, 96, 128, 192, 256, 384, 512)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EveryByte:
    """Of N pictures at M lengths.

    ``lengths`` int64 [M] in bytes, header included, ascending by one. ``ssim``, ``psnr`` float64
    [N, M]; a stream that has ended stays as it is. ``over`` float64 [N, M]: bytes over the ideal
    code length, NaN once the stream has ended.
    """

    lengths: NDArray[np.int64]
    ssim: Floats
    psnr: Floats
    over: Floats

    def smallest_step(self, scores: Floats) -> tuple[float, int]:
        """The least that a mean score rises by from one length to the next, and that length.

        Negative where it falls.
        """
        steps = np.diff(scores.mean(axis=0))
        at = int(steps.argmin())
        return float(steps[at]), int(self.lengths[at])


def smallest_gain(ours: Floats, theirs: Floats) -> tuple[float, int]:
    """The least that a mean score is above another's, and at which index; both float64 [N, M]."""
    gains = (ours - theirs).mean(axis=0)
    at = int(gains.argmin())
    return float(gains[at]), at


def measure(codec: EmbeddedCodec, pictures: Sequence[Pixels], effort: Effort) -> EveryByte:
    """Encode each picture and paint every prefix of it."""
    lengths = np.arange(codec.minimum_bytes, codec.maximum_bytes + 1)
    shape = len(pictures), len(lengths)
    found = EveryByte(lengths, np.empty(shape), np.empty(shape), np.full(shape, np.nan))
    made = codec.encode(pictures, [1.0] * len(pictures), effort)
    pairs = [(picture, one.stream) for picture, one in zip(pictures, made, strict=True)]
    for n, (picture, stream) in enumerate(track(pairs, console=Console(stderr=True))):
        cuts = np.minimum(lengths, len(stream))
        (shown,) = codec.paint_cuts([stream], cuts[None])
        target = np.broadcast_to(picture, shown.shape)
        found.ssim[n], found.psnr[n] = block_ssim(target, shown), psnr(target, shown)
        (inside,) = np.nonzero(lengths <= len(stream))
        found.over[n, inside] = bytes_over(codec, stream)[: len(inside)]
    return found


def bytes_over(codec: EmbeddedCodec, stream: bytes) -> Floats:
    """Of each prefix, from the bare header on: bytes over what its symbols say, float64."""
    payload = stream[HEADER_BYTES:]
    lengths = np.arange(len(payload) + 1)
    known, symbols = bitplane_coder.decode_cuts(codec.packed, [payload], lengths[None])
    values = known.cells[0, -1].astype(np.int32) << known.plane[0, -1].astype(np.int32)
    ideal = np.concatenate([[0.0], np.cumsum(symbol_bits(codec.tables, values))])
    return np.asarray(lengths - ideal[symbols[0]] / 8, np.float64)


def symbol_bits(tables: Tables, values: Ints) -> Floats:
    """What each symbol of int32 [3072] says, in bits, in the order of the stream."""
    room = len(tables.order) + 2 * LAST_PLANE * COEFFICIENTS
    bits = np.empty(room, np.float64)
    return bits[: _symbol_bits(tables, values, bits)]


@compiled
def _symbol_bits(tables: Tables, values: Ints, bits: Floats) -> int:
    """The rules of ``context_model`` once more, written the same way; the number of symbols."""
    energy = np.full(COEFFICIENTS + 1, USUAL_ENERGY, np.int32)
    count = 0
    for entry in range(len(tables.order)):
        kind, at, plane = tables.order[entry]
        magnitude = abs(values[at])
        before = known_before(tables, at, plane, magnitude)
        if (before > 0) != (kind == REFINEMENT):
            continue
        now = magnitude >> plane
        group, size = tables.groups[at], class_at(tables, at, plane)
        context = context_of(tables, energy, at, before)
        bits[count] = PRECISION - np.log2(frequency_of(tables, group, size, context, before, now))
        count += 1
        if kind != REFINEMENT:
            energy[at] = energy_after(tables, group, size, now)
        if kind != REFINEMENT and now and plane == tables.tops[at] and plane < LAST_PLANE:
            above = 0
            while plane + above < LAST_PLANE:
                further = now >> (above + 1) > 0
                frequency = tables.escape[1] if further else tables.escape[2] - tables.escape[1]
                bits[count] = PRECISION - np.log2(frequency)
                count += 1
                if not further:
                    break
                above += 1
            bits[count : count + above] = 1.0
            count += above
    return count


def report(found: EveryByte) -> str:
    """What was measured, in Markdown."""
    rows = []
    for length in SHOWN_BYTES:
        if length <= found.lengths[-1]:
            at = length - int(found.lengths[0])
            over = found.over[:, at][~np.isnan(found.over[:, at])]
            scores = f"{found.ssim[:, at].mean():.4f}", f"{found.psnr[:, at].mean():.2f}"
            surplus = ["–"] * 3  # every stream has ended
            if len(over):
                tail = np.percentile(over, 99), over.max()
                surplus = [f"{value:.2f}" for value in (over.mean(), *tail)]
            rows.append([str(length), *scores, *surplus])
    head = ["bytes", "SSIM", "PSNR", "bytes over ideal: mean", "p99", "max"]
    over = found.over[:, 1:][~np.isnan(found.over[:, 1:])]
    ssim, at_ssim = found.smallest_step(found.ssim)
    decibels, at_psnr = found.smallest_step(found.psnr)
    first, last = found.lengths[0], found.lengths[-1]
    return (
        f"{len(found.ssim)} pictures, cut at every byte from {first} to {last}.\n\n"
        f"{markdown(head, rows)}\n\n"
        f"Smallest step of the mean from n to n + 1 bytes: SSIM {ssim:+.6f} (n = {at_ssim}),"
        f" PSNR {decibels:+.4f} dB (n = {at_psnr}).\n"
        f"Bytes over the ideal code length, all lengths: mean {over.mean():.3f},"
        f" p99 {np.percentile(over, 99):.3f}, max {over.max():.3f}."
    )


def comparison(found: EveryByte, other: EveryByte, name: str) -> str:
    """How two efforts differ over the same pictures, in a sentence."""
    compared = found.lengths >= COMPARED_FROM_BYTES
    lengths = found.lengths[compared]
    words = []
    for measure_name, ours, theirs, form in (
        ("SSIM", found.ssim, other.ssim, "{:+.5f}"),
        ("PSNR", found.psnr, other.psnr, "{:+.4f} dB"),
    ):
        least, at = smallest_gain(ours[:, compared], theirs[:, compared])
        mean = float((ours - theirs)[:, compared].mean())
        words.append(
            f"{measure_name} {form.format(least)} at the least ({lengths[at]} bytes),"
            f" {form.format(mean)} on average"
        )
    return f"Over {name}, from {lengths[0]} bytes on: {'; '.join(words)}."


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m service.evaluation.studies.every_byte", description=__doc__
    )
    study_cli.add_arguments(parser)
    parser.add_argument(
        "--effort", choices=get_args(Effort), default="default", help="(%(default)s)"
    )
    parser.add_argument(
        "--against", choices=get_args(Effort), metavar="EFFORT", help="compare with another effort"
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    codec, pictures = study_cli.load(options)
    found = measure(codec, pictures.rgb, options.effort)
    print(report(found))
    if options.against:
        other = measure(codec, pictures.rgb, options.against)
        print(comparison(found, other, options.against))


if __name__ == "__main__":
    main()
