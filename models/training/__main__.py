"""``python -m models.training SYSTEM --data DIR --out DIR``: train, or go on training."""

from __future__ import annotations

import argparse
from dataclasses import fields
from functools import partial
from pathlib import Path

import torch

from models.artifact_io import weights
from models.training import compute, curve, kept, sources
from models.training.loop import Plan, Run, measured_at
from models.training.losses import LOSSES
from models.zoo import catalogue, full_resolution

SYSTEMS = {**catalogue.SYSTEMS, **full_resolution.SYSTEMS}


def arguments() -> argparse.Namespace:
    """The command line; every field of Plan is an option."""
    defaults = {f.name: f.default for f in fields(Plan)}
    parser = argparse.ArgumentParser(prog="python -m models.training", description=__doc__)
    parser.add_argument("system", choices=sorted(SYSTEMS))
    parser.add_argument("--config", default="small", help="widths, by name (paper, small)")
    parser.add_argument("--data", type=Path, required=True, help="folder of shards or of pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, log, curve")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--samples", type=int, help="pictures of the schedule")
    length.add_argument(
        "--gmac", type=float, help="its length in forward GMAC: equal compute for every system"
    )
    parser.add_argument(
        "--iterations", type=int, help="unrolled iterations; default: those of the largest budget"
    )
    parser.add_argument("--start-from", type=Path, help="run, kept file or artifact to begin with")
    parser.add_argument("--max-minutes", type=float, default=1e9, help="stop after; resume later")
    parser.add_argument("--every", type=float, default=120, help="seconds between checkpoints")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--relative", action="store_true", help="each iteration counts in parts of its own loss"
    )
    parser.add_argument(
        "--signs", action="store_true", help="bits are signs, not drawn: for the end of a training"
    )
    parser.add_argument("--loss", choices=sorted(LOSSES), default=defaults["loss"])
    parser.add_argument("--pictures", choices=sorted(sources.SOURCES), default=defaults["pictures"])
    parser.add_argument(
        "--no-channels-last",
        dest="channels_last",
        action="store_false",
        help="planes lie one after the other: faster on some processors",
    )
    parser.add_argument("--no-bf16", dest="bf16", action="store_false", help="32-bit throughout")
    for name, kind in (
        *dict.fromkeys(("batch", "warmup", "seed", "crop"), int).items(),
        *dict.fromkeys(("rate", "final_rate", "clip", "average"), float).items(),
    ):
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=kind, default=defaults[name], help="default %(default)s")
    return parser.parse_args()


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    """The averaged weights of a run or of a kept file, or the shipped ones of an artifact."""
    if path.is_file():
        return kept.read(path)
    checkpoint = path / "checkpoint.pt"
    if not checkpoint.exists():
        return weights.read(path)
    averaged: dict[str, torch.Tensor] = torch.load(checkpoint, map_location="cpu")["averaged"]
    return averaged


def main() -> None:
    """Load, resume or start, train, plot."""
    options = arguments()
    torch.set_num_threads(options.threads)
    system = SYSTEMS[options.system]
    torch.manual_seed(options.seed)
    model = system.build(system.configs[options.config])
    options.iterations = options.iterations or max(system.budgets.values())
    if options.samples is None:
        options.samples = round(
            options.gmac * 1e9 / compute.macs(model, options.iterations, options.crop)
        )
    plan = Plan(**{f.name: getattr(options, f.name) for f in fields(Plan)})
    budgets = {n: k for n, k in system.budgets.items() if k <= plan.iterations}
    source = sources.SOURCES[plan.pictures]
    run = Run(
        plan,
        model,
        options.out,
        measured_at(budgets or {"last": plan.iterations}, options.device),
        options.device,
        partial(source.draw, side=plan.crop),
    )
    if not run.resume() and options.start_from:
        run.start_from(weights_of(options.start_from))
    photos, validation = source.load(options.data)
    count = sum(p.numel() for p in model.parameters())
    print(
        f"{plan.system}/{plan.config}: {count} weights, {len(photos)} photos, "
        f"from picture {run.samples} to {plan.samples}, "
        f"{run.gmac_each * 1000:.2f} MMAC each, {run.gmac_each * plan.samples:.0f} GMAC in all",
        flush=True,
    )
    run.train(photos, validation[:300], options.max_minutes, options.every)
    curve.plot(options.out / "log.csv", options.out / "curve.svg")


if __name__ == "__main__":
    main()
