"""Steps assigned to patches against the same for all.

    python -m service.evaluation.studies.adaptive_patches

At every target: the mean payload that the assignment spends, its flags included, and the quality
it buys; beside it the fixed assignment at the same mean payload, interpolated between whole steps
(as when a share of the pictures gets one step more).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.codec.header import HEADER_BYTES
from service.codec.interface import Pixels
from service.codec.recurrent.adaptive_patches import PatchCodec, Quality
from service.codec.registry import load_newest
from service.errors import ConfigurationError
from service.evaluation.data.pictures import load_pictures
from service.evaluation.report.tables import markdown
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from service.settings import packaged_artifacts

TARGETS = {"psnr": (18.0, 20.0, 22.0, 24.0, 26.0, 28.0), "ssim": (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)}
QUALITIES: dict[str, Quality] = {"psnr": psnr, "ssim": block_ssim}
WORST_PERCENT = 10


@dataclass(frozen=True)
class Spent:
    """Mean payload in bytes, mean SSIM, the SSIM that a tenth of the pictures stay under, dB."""

    payload: float
    ssim: float
    worst: float
    psnr: float


def spent(payload: float, pictures: Pixels, shown: Pixels) -> Spent:
    """What uint8 [N, 32, 32, 3] cost and how near ``shown`` comes."""
    ssim = block_ssim(pictures, shown)
    return Spent(
        payload,
        float(ssim.mean()),
        float(np.percentile(ssim, WORST_PERCENT)),
        float(psnr(pictures, shown).mean()),
    )


def fixed(codec: PatchCodec, pictures: Pixels) -> list[Spent]:
    """After every step of the fixed assignment."""
    streams = [e.stream for e in codec.encode(list(pictures), [1.0] * len(pictures))]
    chunk = codec.inspect(streams[0]).chunks[1].length_bytes
    ends = range(chunk, len(streams[0]) - HEADER_BYTES + 1, chunk)
    return [
        spent(
            end,
            pictures,
            np.stack(codec.decode([stream[: HEADER_BYTES + end] for stream in streams])),
        )
        for end in ends
    ]


def assigned(codec: PatchCodec, pictures: Pixels, target: float, quality: Quality) -> Spent:
    """With as many steps for each patch as its target needs."""
    aspects = [1.0] * len(pictures)
    streams = [e.stream for e in codec.assigned.encode(list(pictures), aspects, target, quality)]
    payload = float(np.mean([len(stream) - HEADER_BYTES for stream in streams]))
    return spent(payload, pictures, np.stack(codec.decode(streams)))


def at(payload: float, curve: list[Spent]) -> Spent:
    """The fixed assignment at a mean payload; at its end where it spends no more."""

    def between(values: list[float]) -> float:
        return float(np.interp(payload, [point.payload for point in curve], values))

    return Spent(
        min(payload, curve[-1].payload),
        between([point.ssim for point in curve]),
        between([point.worst for point in curve]),
        between([point.psnr for point in curve]),
    )


def table(codec: PatchCodec, pictures: NDArray[np.uint8]) -> str:
    """Markdown: a row for every measure and target."""
    curve = fixed(codec, pictures)
    rows = []
    for name, targets in TARGETS.items():
        for target in targets:
            found = assigned(codec, pictures, target, QUALITIES[name])
            beside = at(found.payload, curve)
            rows.append(
                [
                    f"{name} {target:g}",
                    f"{found.payload:.1f}",
                    *(
                        f"{getattr(found, field):.{digits}f} / {getattr(beside, field):.{digits}f}"
                        for field, digits in (("ssim", 4), ("worst", 4), ("psnr", 2))
                    ),
                ]
            )
    head = ["target of a patch", "mean payload, B", "SSIM assigned / fixed"]
    return markdown([*head, f"SSIM of the worst {WORST_PERCENT} %", "dB"], rows)


def main() -> None:
    """Print the table of one codec."""
    parser = argparse.ArgumentParser(
        prog="python -m service.evaluation.studies.adaptive_patches", description=__doc__
    )
    parser.add_argument("--codec", default="fc-lstm")
    parser.add_argument("--data", type=Path, required=True, help="folder or .npz, as in evaluate")
    parser.add_argument("--artifacts", type=Path, default=packaged_artifacts())
    parser.add_argument("--count", type=int, default=300, help="pictures, from the first on")
    options = parser.parse_args()
    codec = load_newest(options.artifacts, [options.codec], Runtime("cpu"))[options.codec]
    if not isinstance(codec, PatchCodec):
        raise ConfigurationError(f"{options.codec} does not code 8x8 patches alone")
    pictures = load_pictures(options.data, codec.picture_size)[: options.count]
    print(f"{options.codec}, {pictures.describe()}\n\n{table(codec, np.stack(pictures.rgb))}")


if __name__ == "__main__":
    main()
