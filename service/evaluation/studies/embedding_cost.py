"""What it costs that a stream can be cut.

    python -m service.evaluation.studies.embedding_cost --data DIR

Two questions, both by ideal code lengths. How much better is a stream that was searched for one
length alone than a prefix of the one stream that was searched for all of them? And, without a
search: how much better are the same coefficients when all are quantised at one plane, so that
nothing is a prefix of anything? A difference of quality is also told in bytes, by the slope of the
embedded stream's own curve over the logarithm of its bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.codec.header import HEADER_BYTES
from service.codec.interface import Pixels
from service.codec.prefixel.codec import LARGEST_BATCH, ROUNDS, EmbeddedCodec, whole_steps
from service.codec.prefixel.context_model import Tables
from service.codec.prefixel.encoder_rdo import OPERATING_POINTS, RateDistortionSearch
from service.codec.prefixel.rate_model import END_BITS, Truncator
from service.codec.prefixel.reconstruction import Floats
from service.errors import ConfigurationError
from service.evaluation.measure.ideal_prefixes import shown
from service.evaluation.report.tables import markdown
from service.evaluation.studies import study_cli
from service.evaluation.studies.every_byte import symbol_bits
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

LENGTHS = (64, 128, 256)
"""Bytes of a whole stream."""
SIDES = 1.12
"""The slope at a length is taken between prefixes this much shorter and longer."""
SHOWN_BYTES = (20, 400)
"""Planes whose mean length lies between these are shown."""
EVERYTHING = 1e6
Lengths = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """Means over pictures."""

    ssim: float
    psnr: float

    def __str__(self) -> str:
        return f"{self.ssim:.4f} / {self.psnr:.2f}"


@dataclass(frozen=True)
class EmbeddingCost:
    """At ``length`` bytes, header included: an embedded prefix and what is not embedded.

    ``shorter`` and ``longer`` are the embedded prefixes beside it, of ``ratio`` in bytes.
    """

    length: float
    embedded: Quality
    alone: Quality
    shorter: Quality
    longer: Quality
    ratio: float

    def percent(self, measure: str) -> float:
        """How many more bytes the prefix would need to be as good (negative: fewer), in percent.

        ``measure`` is a field of Quality. Raises ValueError where the curve does not rise.
        """
        found = [
            getattr(q, measure) for q in (self.embedded, self.alone, self.shorter, self.longer)
        ]
        embedded, alone, shorter, longer = found
        if longer <= shorter:
            raise ValueError(f"{measure} does not rise at {self.length:.0f} bytes")
        return float(100 * (self.ratio ** ((alone - embedded) / (longer - shorter)) - 1))


def cost_of_searching_for_all(
    codec: EmbeddedCodec, pictures: Pixels, rounds: int
) -> list[EmbeddingCost]:
    """One stream judged at all lengths, against a stream for each of ``LENGTHS``."""
    gradient, truncator = codec.network("gradient"), Truncator(codec.stored)
    start = unrounded(codec, pictures)
    all_lengths = RateDistortionSearch(codec.stored, gradient).refined(pictures, start, rounds)
    costs = []
    for length in LENGTHS:
        payload = length - HEADER_BYTES
        only = RateDistortionSearch(codec.stored, gradient, OPERATING_POINTS.only(payload))
        one = only.refined(pictures, start, rounds)
        lengths = np.full(len(pictures), float(payload))
        (alone,) = qualities(codec, truncator, pictures, one, lengths[:, None])
        costs.append(embedding_cost(codec, truncator, pictures, all_lengths, lengths, alone))
    return costs


def cost_of_digits(codec: EmbeddedCodec, pictures: Pixels) -> dict[int, EmbeddingCost]:
    """Prefixes, against all coefficients known to one plane; each picture at the same bytes.

    By plane; ``length`` is a mean.
    """
    values = unrounded(codec, pictures)
    whole = whole_steps(values)
    costs = {}
    for plane in range(int(codec.tables.tops.max()) + 1):
        truncator = Truncator(codec.stored)
        truncator.tables = down_to(codec.tables, plane)
        bits = np.array([symbol_bits(truncator.tables, picture).sum() for picture in whole])
        lengths = (bits + END_BITS) / 8
        if SHOWN_BYTES[0] <= lengths.mean() + HEADER_BYTES <= SHOWN_BYTES[1]:
            everything = np.full((len(whole), 1), EVERYTHING)
            (alone,) = qualities(codec, truncator, pictures, values, everything)
            costs[plane] = embedding_cost(
                codec, Truncator(codec.stored), pictures, values, lengths, alone
            )
    return costs


def down_to(tables: Tables, plane: int) -> Tables:
    """Tables whose order ends at a plane: decided whole, they are a quantiser of one step."""
    return tables._replace(order=np.ascontiguousarray(tables.order[tables.order[:, 2] >= plane]))


def unrounded(codec: EmbeddedCodec, pictures: Pixels) -> Floats:
    """Coefficients of any number of pictures, in steps."""
    parts = range(0, len(pictures), LARGEST_BATCH)
    return np.concatenate([codec.unrounded(pictures[at : at + LARGEST_BATCH]) for at in parts])


def embedding_cost(
    codec: EmbeddedCodec,
    truncator: Truncator,
    pictures: Pixels,
    values: Floats,
    lengths: Lengths,
    alone: Quality,
) -> EmbeddingCost:
    """Prefixes of ``lengths`` [N] payload bytes against what is not embedded."""
    around = lengths[:, None] * np.array([1 / SIDES, 1.0, SIDES])
    shorter, embedded, longer = qualities(codec, truncator, pictures, values, around)
    whole = around.mean(axis=0) + HEADER_BYTES
    return EmbeddingCost(whole[1], embedded, alone, shorter, longer, whole[2] / whole[0])


def qualities(
    codec: EmbeddedCodec, truncator: Truncator, pictures: Pixels, values: Floats, payloads: Lengths
) -> list[Quality]:
    """Of prefixes of ``payloads`` [N, M] bytes, the mean over pictures for each of the M."""
    rgb = shown(codec, truncator, values, payloads)
    return [
        Quality(
            float(block_ssim(pictures, rgb[:, k]).mean()), float(psnr(pictures, rgb[:, k]).mean())
        )
        for k in range(payloads.shape[1])
    ]


def report(
    count: int, rounds: int, searched: Sequence[EmbeddingCost], digits: dict[int, EmbeddingCost]
) -> str:
    """What was measured, in Markdown."""

    def cells(one: EmbeddingCost) -> list[str]:
        percent = [f"{one.percent(measure):+.1f} %" for measure in ("ssim", "psnr")]
        return [str(one.embedded), str(one.alone), *percent]

    last = ["more bytes at equal SSIM", "at equal dB"]
    by_search = markdown(
        ["bytes", "a prefix", "a stream for this length", *last],
        [[f"{one.length:.0f}", *cells(one)] for one in searched],
    )
    by_plane = markdown(
        ["plane", "bytes, mean", "a prefix", "one step", *last],
        [[str(plane), f"{one.length:.1f}", *cells(one)] for plane, one in digits.items()],
    )
    return (
        f"{count} pictures; SSIM / dB by ideal code lengths, bytes with the header.\n\n"
        f"A stream searched for all lengths at once, against one for each, {rounds} rounds of"
        f" search in either:\n\n{by_search}\n\n"
        "Without a search, against the same coefficients, tables and networks with one step for"
        f" all, every picture at the bytes that it then takes:\n\n{by_plane}"
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m service.evaluation.studies.embedding_cost", description=__doc__
    )
    study_cli.add_arguments(parser)
    rounds = ROUNDS["best"]
    parser.add_argument("--rounds", type=int, default=rounds, help="of either search (%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    codec, chosen = study_cli.load(options)
    if "gradient" not in codec.artifact.manifest.graphs:
        raise ConfigurationError(f"{options.codec} has no synthesis network to search through")
    pictures = np.stack(chosen.rgb)
    searched = cost_of_searching_for_all(codec, pictures, options.rounds)
    print(report(len(pictures), options.rounds, searched, cost_of_digits(codec, pictures)))


if __name__ == "__main__":
    main()
