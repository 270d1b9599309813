"""``python -m models.prefixel.ablation --data DIR --out DIR --samples N``: what each part is worth.

Rows that learn are trained from the closed form, each in its folder, and go on where they stopped;
one that is done is only scored. Every row is printed as soon as it is known and kept in OUT, where
``ablation.md`` has all rows that there are.
"""

from __future__ import annotations

import argparse
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.artifact_io.manifests import ARTIFACTS
from models.export import graphs
from models.prefixel import ablation_page, trits
from models.prefixel.ablation_page import Line
from models.prefixel.closed_form.__main__ import training_thumbnails
from models.prefixel.closed_form.learning import learn, with_counts
from models.prefixel.closed_form.manifest import TUNING
from models.prefixel.export import complexity, networks_of, round_kernels
from models.prefixel.networks import CONFIGS, Networks
from models.prefixel.training import (
    SCORED_BYTES,
    TABLES,
    EmbeddedPlan,
    EmbeddedRun,
    Painter,
    measured,
    prefix_scores,
)
from models.training import data
from service.codec.header import HEADER_BYTES
from service.codec.interface import Effort, Pixels
from service.codec.prefixel import tables as prefixel_tables
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.prefixel.rate_model import Truncator
from service.codec.prefixel.tables import Stored
from service.codec.registry import load_codec
from service.errors import ConfigurationError
from service.evaluation.measure.ideal_prefixes import shown
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

RECOUNTS = 2
PAYLOADS = tuple(length - HEADER_BYTES for length in SCORED_BYTES)


@dataclass(frozen=True)
class Trained:
    """A row that learns: its title, and what it changes."""

    title: str
    config: str = "small"
    squared_weight: float = 30.0
    ssim_weight: float = 1.0


TRAINED = {
    "small": Trained("as the codec is"),
    "no-analysis": Trained("no learned analysis: the transform is given the photo", "no-analysis"),
    "blind": Trained("the synthesis is not told how precisely things are known", "blind"),
    "squared": Trained("squared error alone", squared_weight=60.0, ssim_weight=0.0),
    "structural": Trained("1 - SSIM, a tenth of the squared error", squared_weight=3.0),
    "narrow": Trained("a narrower synthesis", "narrow"),
    "wide": Trained("a wider synthesis", "wide"),
}


@dataclass(frozen=True)
class Ablation:
    """What all rows share. ``photos`` uint8 [N, 64, 64, 3]; ``tuning``, ``pictures`` thumbnails."""

    options: argparse.Namespace
    photos: Tensor
    tuning: Tensor
    pictures: Tensor

    @cached_property
    def codec(self) -> EmbeddedCodec:
        """The artifact. Raises ConfigurationError where it is of another family."""
        codec = load_codec(self.options.artifact, Runtime("cpu", self.options.threads))
        if not isinstance(codec, EmbeddedCodec):
            raise ConfigurationError(f"{self.options.artifact} is not an embedded codec")
        return codec

    @cached_property
    def counted(self) -> Pixels:
        """Training thumbnails for rows that count: uint8 [N, 32, 32, 3]."""
        return training_thumbnails(self.photos, self.options.counted, seed=1)

    @cached_property
    def values(self) -> NDArray[np.int32]:
        """The pictures' coefficients, as the artifact codes them."""
        return self.codec.values(self.pictures.numpy(), "default")

    def lines(self, row: str) -> list[Line]:
        """Make a row."""
        if row in TRAINED:
            return [self.trained(row)]
        return list(OTHERS[row](self))

    def trained(self, row: str) -> Line:
        """Train what is left to train, then score."""
        options, what = self.options, TRAINED[row]
        plan = EmbeddedPlan(
            system="prefixel",
            config=what.config,
            samples=options.samples,
            iterations=1,
            rate=options.rate,
            bf16=options.bf16,
            recount_thumbnails=options.counted,
            rate_weight=options.rate_weight,
            anchor=options.anchor,
            squared_weight=what.squared_weight,
            ssim_weight=what.ssim_weight,
        )
        torch.manual_seed(plan.seed)
        model = Networks(CONFIGS[what.config])
        run = EmbeddedRun(plan, model, options.out / row, lambda m, t: measured(run)(m, t))
        if not run.resume():
            run.begin(self.photos)
        if run.samples < plan.samples:
            run.train(self.photos, self.tuning, float("inf"), options.every)
        more = {
            "thumbnails": f"{run.samples:,}",
            "weights": f"{sum(p.numel() for p in model.synthesis.parameters()):,}",
            "MMAC": f"{complexity(model)['decode'] * 1.024:.1f}",
        }
        scores = prefix_scores(run.averaged, run.truncator, run.painter, self.pictures)
        return Line(what.title, scores, more)

    def closed_form(self) -> list[Line]:
        """Nothing trained."""
        stored = learn(self.counted, EmbeddedPlan.step)
        nothing = Networks(CONFIGS["no-analysis"])  # untrained: what comes in
        scores = prefix_scores(nothing, Truncator(stored), Painter(stored), self.pictures)
        return [Line("closed form: nothing trained", scores, {"thumbnails": "0"})]

    def weights(self) -> list[Line]:
        """All bits of a run's weights against those that are shipped."""
        run: Path = self.options.run or self.options.out / "small"
        stored = prefixel_tables.read(run / TABLES)
        model = networks_of(run)
        rounded = deepcopy(model)
        graphs.round_to_half(rounded)
        round_kernels(rounded.synthesis)
        parts = Truncator(stored), Painter(stored), self.pictures
        return [
            Line("32 bits", prefix_scores(model, *parts)),
            Line("8-bit kernels, the rest 16 bits", prefix_scores(rounded, *parts)),
        ]

    def shipped(self) -> list[Line]:
        """The artifact as it is."""
        return [Line("as shipped", self.scored(self.codec.stored))]

    def context(self) -> list[Line]:
        """Counted anew, with what neighbours tell and without."""
        whole = np.concatenate(
            [self.codec.values(part, "default") for part in batches(self.counted)]
        )
        found = []
        stored = self.codec.stored
        blind = replace(stored, rows=np.zeros_like(stored.rows))
        for title, tables in (("counted anew", stored), ("counted anew, no context", blind)):
            for _ in range(RECOUNTS):
                tables = with_counts(tables, whole)
            found.append(Line(title, self.scored(tables)))
        return found

    def scored(self, stored: Stored) -> dict[str, float]:
        """The artifact's pictures with other tables of the parse."""
        lengths = np.tile(np.array(PAYLOADS, np.float64), (len(self.pictures), 1))
        rgb = shown(self.codec, Truncator(stored), self.values.astype(np.float32), lengths)
        return scores_of(self.pictures.numpy(), rgb)

    def efforts(self) -> list[Line]:
        """Streams of the first pictures, cut, at each effort."""
        codec, pictures = self.codec, self.pictures.numpy()[: self.options.searched]
        aspects = [1.0] * len(pictures)
        found = []
        codec.encode(pictures[:1], aspects[:1], "high")  # what is compiled at first use
        for effort in get_args(Effort):
            wall, processor = time.perf_counter(), time.process_time()
            streams = [e.stream for e in codec.encode(pictures, aspects, effort)]
            each = 1000 / len(pictures)
            more = {
                "ms of processor": f"{(time.process_time() - processor) * each:.2f}",
                "ms": f"{(time.perf_counter() - wall) * each:.2f}",
            }
            ends = [[min(length, len(stream)) for length in SCORED_BYTES] for stream in streams]
            rgb = codec.paint_cuts(streams, np.array(ends, np.int64))
            title = f"{effort} ({len(pictures)} thumbnails)"
            found.append(Line(title, scores_of(pictures, rgb), more))
        return found

    def trits(self) -> list[Line]:
        """Planes of either base."""
        pictures = self.pictures.numpy()
        by_base = trits.compare(self.counted, self.tuning.numpy(), pictures, PAYLOADS)
        names = {2: "bit-planes", 3: "trit-planes"}
        return [Line(names[base], scores_of(pictures, rgb)) for base, rgb in by_base.items()]


OTHERS = {
    "closed-form": Ablation.closed_form,
    "shipped": Ablation.shipped,
    "context": Ablation.context,
    "efforts": Ablation.efforts,
    "trits": Ablation.trits,
    "weights": Ablation.weights,
}
ROWS = (*(row for row in OTHERS if row != "weights"), *TRAINED, "weights")
"""In the order in which they are made: the quick ones first, ``weights`` after what it is of."""


def scores_of(pictures: Pixels, rgb: Pixels) -> dict[str, float]:
    """As ``prefix_scores`` names them, of what is shown at its lengths: uint8 [N, 3, 32, 32, 3]."""
    figures = {}
    for k, length in enumerate(SCORED_BYTES):
        figures[f"ssim_{length}"] = float(block_ssim(pictures, rgb[:, k]).mean())
        figures[f"psnr_{length}"] = float(psnr(pictures, rgb[:, k]).mean())
    return figures


def batches(pictures: Pixels, size: int = 512) -> list[Pixels]:
    """A stack in parts."""
    return [pictures[start : start + size] for start in range(0, len(pictures), size)]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.prefixel.ablation", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder as for models.prefixel")
    add("--out", type=Path, required=True, help="folder of runs, rows and the page")
    add("--samples", type=int, required=True, help="thumbnails that each row is trained on")
    add("--rows", default=",".join(ROWS), metavar="A,B", help="(%(default)s)")
    add("--artifact", type=Path, default=ARTIFACTS / "prefixel", help="what ships (%(default)s)")
    add("--run", type=Path, help="training folder of the row 'weights' (that of the row 'small')")
    add("--counted", type=int, default=8000, help="thumbnails that tables count (%(default)s)")
    add("--searched", type=int, default=50, help="pictures of the row 'efforts' (%(default)s)")
    add("--threads", type=int, default=torch.get_num_threads())
    add("--no-bf16", dest="bf16", action="store_false", help="32-bit throughout")
    add("--every", type=float, default=120, help="seconds between checkpoints (%(default)s)")
    add("--rate", type=float, default=2e-3, help="(%(default)s)")
    add("--rate-weight", type=float, default=1.3, help="(%(default)s)")
    add("--anchor", type=float, default=5.0, help="(%(default)s)")
    options = parser.parse_args()
    options.rows = options.rows.split(",")
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    return options


def main() -> None:
    """Make the rows, print each, write the page."""
    options = arguments()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    photos, validation = data.load(options.data)
    made = Ablation(options, photos, validation[:TUNING], validation[TUNING:])
    for row in options.rows:
        lines = made.lines(row)
        ablation_page.keep(options.out, row, lines)
        ablation_page.write(options.out, len(made.pictures))
        for line in lines:
            print("| " + " | ".join(line.cells(tuple(line.more))) + " |", flush=True)
    print((options.out / ablation_page.PAGE).read_text())


if __name__ == "__main__":
    main()
