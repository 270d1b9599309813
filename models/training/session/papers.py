"""``python -m models.training.session.papers FOLDER ... --data DIR``: the papers' tables.

Kept files of sessions (``NAME.npz``, NAME a run's; a later folder's stands for an earlier one's)
paint the middles of photos (``*.png``) by themselves, nothing is exported:

area        under PSNR, SSIM and MS-SSIM in dB, .125 to 2 bpp nominal: Johnston et al. 2017, tables
            1 and 2, printed figures beside ours; which of the papers' orderings these weights show
adaptive    what adaptive bit rates save at equal quality, the map counted: 2017, section 3.4
entropy     what BinaryRNN saves of the bits of its codec: 2016, figure 4; 2017, table 3
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training import kept
from models.training.data import to_network
from models.training.photos import middle, opened
from models.training.session.runs import RUNS, Recipe
from models.zoo.full_resolution import BUDGETS, SYSTEMS
from models.zoo.johnston2017 import sabr
from models.zoo.toderici2016 import binary_rnn
from models.zoo.toderici2016.network import TILE
from service.codec.pixels import Pixels
from service.codec.recurrent.codec import to_rgb
from service.evaluation.photos.measures import score
from service.evaluation.photos.recurrent import MEASURES, PRINTED_AREA, STEP
from service.evaluation.report.tables import markdown

ITERATIONS, BITS = 16, 32
PRINTED_AS = {
    "gru-l1": "Baseline (L1)",
    "gru-dssim": "DSSIM",
    "gru-prime": "Prime",
    "gru-best": "Best",
    **{f"gru-diffusion-{k}": f"Diffusion {k}" for k in range(4)},
}
ORDERINGS = (
    ("gru-dssim", "gru-l1"),
    ("gru-prime", "gru-dssim"),
    ("gru-best", "gru-prime"),
    *((f"gru-diffusion-{k}", "gru-diffusion-0") for k in (1, 2, 3)),
    ("residual-gru-hard", "gru-hard"),
)
"""The first is at least as good as the second in the papers, in all three measures."""
ADAPTED = "gru-hard", "residual-gru-hard"
"""What ships (``gru-entropy``, ``residual-gru``), before rounding."""
WANTED = 4, 8, 12
"""Iterations in the mean, of adaptive bit rates."""
PRINTED_SAVED = "15 % at .5 bpp, 5 % at 2"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What a codec made of photos: bits [T, N, 32, h, w], scores [T, N, measures]."""

    codes: Tensor
    scores: Floats


def codec_of(path: Path, recipe: Recipe) -> torch.nn.Module:
    """A run's codec with the weights that were kept."""
    system = SYSTEMS[recipe.system]
    model: torch.nn.Module = system.build(system.configs[recipe.config])
    model.load_state_dict(kept.read(path))
    return model.eval()


def scores_of(originals: Sequence[Pixels], painted: Tensor) -> Floats:
    """[N, 3, H, W] beside its originals: [N, measures]."""
    shown = to_rgb(painted.numpy())
    return np.array([score(MEASURES, a, b) for a, b in zip(originals, shown, strict=True)])


@torch.no_grad()
def seen_by(model: torch.nn.Module, originals: Sequence[Pixels]) -> Seen:
    """All iterations of all photos."""
    pictures, codes = model(to_network(torch.from_numpy(np.stack(originals))), ITERATIONS)
    return Seen(torch.stack(codes), np.stack([scores_of(originals, one) for one in pictures]))


def decibels(scores: Floats) -> Floats:
    """[..., measures] -> the same in dB."""
    columns = [measure.decibels(scores[..., at]) for at, measure in enumerate(MEASURES)]
    return np.stack(columns, -1)


def areas(seen: Seen) -> Floats:
    """Under the mean curves, of each measure."""
    curve = decibels(seen.scores.mean(1))
    return np.asarray(np.trapezoid(curve, dx=STEP, axis=0), np.float64)


def area_table(found: Mapping[str, Seen], gmac: Mapping[str, float]) -> str:
    """Ours, and below each what is printed of its like."""
    rows = []
    for name, seen in found.items():
        cells = [f"{area:.2f}" for area in areas(seen)]
        last = f"{decibels(seen.scores.mean(1))[-1, 0]:.2f}"
        rows.append([f"`{name}`", f"{gmac[name] / 1000:.1f}", *cells, last])
        if printed := PRINTED_AS.get(name):
            figures = (f"{area:.2f}" for area in PRINTED_AREA[printed])
            rows.append([f"printed: {printed}", "", *figures, ""])
    head = ["", "training, TMAC forward", *(f"area: {m.name}" for m in MEASURES), "PSNR at 2 bpp"]
    return markdown(head, rows)


def orderings(found: Mapping[str, Seen]) -> str:
    """Which pairs come out as in print."""
    rows = []
    for better, worse in ORDERINGS:
        if better in found and worse in found:
            gains = areas(found[better]) - areas(found[worse])
            words = "shown" if min(gains) >= 0 else "not shown" if max(gains) < 0 else "in part"
            rows.append([f"`{better}` over `{worse}`", *(f"{gain:+.2f}" for gain in gains), words])
    return markdown(["areas apart", *(m.name for m in MEASURES), ""], rows)


@torch.no_grad()
def adaptive(model: torch.nn.Module, seen: Seen, originals: Sequence[Pixels]) -> list[list[str]]:
    """A row a mean number of iterations: bits a pixel, quality, bits saved of the plain curve."""
    x = to_network(torch.from_numpy(np.stack(originals)))
    pictures = model.decode(list(seen.codes))  # type: ignore[operator]
    errors = sabr.worst_parts(x, pictures).double().numpy()
    plain = decibels(seen.scores.mean(1))
    rates = STEP * np.arange(1, ITERATIONS + 1)
    rows = []
    for wanted in WANTED:
        steps = np.stack([sabr.allocate(errors[:, n], wanted) for n in range(len(originals))])
        low = sabr.bounds(wanted, ITERATIONS)[0]
        sent = BITS * int(steps.sum()) + 8 * sum(len(sabr.map_bytes(one, low)) for one in steps)
        bpp = sent / (steps.size * TILE**2)
        codes = sabr.without(list(seen.codes), torch.from_numpy(steps))[: int(steps.max())]
        shown = decibels(scores_of(originals, model.decode(codes)[-1]).mean(0))  # type: ignore[operator]
        cells = []
        for at in range(len(MEASURES)):
            best = np.maximum.accumulate(plain[:, at])
            reached = shown[at] <= best[-1]
            needed = np.exp(np.interp(shown[at], best, np.log(rates)))
            cells.append(f"{1 - bpp / needed:+.1%}" if reached else "over the curve")
        rows.append([str(wanted), f"{bpp:.3f}", *(f"{q:.2f}" for q in shown), *cells])
    return rows


@torch.no_grad()
def entropy_saved(path: Path, recipe: Recipe, seen: Seen) -> list[str]:
    """Shares of the bits that BinaryRNN saves, up to each rate."""
    model = binary_rnn.BinaryRNN(binary_rnn.CONFIGS[recipe.config])
    model.load_state_dict(kept.read(path))
    expected = torch.stack(model.eval()(list(seen.codes)))
    spent = binary_rnn.bits_spent(seen.codes, expected).mean(dim=(1, 2, 3, 4))
    return [f"{1 - float(spent[:count].mean()):.1%}" for count in BUDGETS.values()]


def page(folders: Sequence[Path], originals: Sequence[Pixels], only: Sequence[str]) -> str:
    """All tables, Markdown."""
    paths = {path.stem: path for folder in folders for path in sorted(folder.glob("*.npz"))}
    runs = [run for run in RUNS if run.name in paths and (not only or run.name in only)]
    found: dict[str, Seen] = {}
    gmac: dict[str, float] = {}
    adapted, entropy = [], []
    for run in runs:
        path = paths[run.name]
        if run.codec is None and run.system in SYSTEMS:
            model = codec_of(path, run)
            found[run.name] = seen_by(model, originals)
            gmac[run.name] = float(kept.history(path)["last"]["gmac"])
            print(run.name, *(f"{area:.2f}" for area in areas(found[run.name])), flush=True)
            if run.name in ADAPTED:
                rows = adaptive(model, found[run.name], originals)
                adapted += [[f"`{run.name}`", *row] for row in rows]
        elif run.codec in found:
            saved = entropy_saved(path, run, found[run.codec])
            entropy.append([f"`{run.name}` of `{run.codec}`", *saved])
    names = [measure.name for measure in MEASURES]
    head = ["", "iterations", "bpp with map", *(f"{n}, dB" for n in names)]
    head += [f"saved at equal {n}" for n in names]
    return "\n\n".join(
        [
            area_table(found, gmac),
            orderings(found),
            markdown(head, adapted),
            markdown(["", *(f"saved up to {bpp} bpp" for bpp in BUDGETS)], entropy),
        ]
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.session.papers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", type=Path, nargs="+", help="of kept files")
    parser.add_argument("--data", type=Path, required=True, help="folder of photos (*.png)")
    parser.add_argument("--first", type=int, help="so many of them")
    parser.add_argument("--crop", type=int, default=192, help="side of middles (%(default)s)")
    parser.add_argument("--only", default="", help="names of runs, with commas")
    options = parser.parse_args()
    paths = sorted(options.data.glob("*.png"))[: options.first]
    originals = [np.asarray(middle(opened(path), options.crop)) for path in paths]
    print(f"{len(originals)} photos, middles of {options.crop}x{options.crop}", flush=True)
    print(page(options.folders, originals, [name for name in options.only.split(",") if name]))


if __name__ == "__main__":
    main()
