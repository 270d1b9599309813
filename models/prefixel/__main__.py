"""``python -m models.prefixel --data DIR --out DIR``: train the embedded codec's networks."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import torch

from models.prefixel.networks import CONFIGS, Networks
from models.prefixel.training import EmbeddedPlan, EmbeddedRun, measured
from models.training import curve, data

NAME = "prefixel"


def arguments() -> argparse.Namespace:
    """The command line; the fields of EmbeddedPlan that are worth turning are options."""
    defaults = {f.name: f.default for f in fields(EmbeddedPlan)}
    parser = argparse.ArgumentParser(prog="python -m models.prefixel", description=__doc__)
    add = parser.add_argument
    add("--config", choices=sorted(CONFIGS), default="small")
    add("--data", type=Path, required=True, help="folder of shards or of pictures")
    add("--out", type=Path, required=True, help="folder of checkpoint, tables, log, curve")
    add("--samples", type=int, required=True, help="thumbnails of the schedule")
    add("--start-from", type=Path, help="run or artifact to begin with")
    add("--max-minutes", type=float, default=1e9, help="stop after; resume later")
    add("--every", type=float, default=120, help="seconds between checkpoints")
    add("--threads", type=int, default=torch.get_num_threads())
    add("--no-bf16", dest="bf16", action="store_false", help="32-bit throughout")
    add("--no-weighted", dest="weighted", action="store_false", help="all steps alike")
    add("--freeze-analysis", action="store_true", help="train the synthesis alone")
    add("--anew", action="store_true", help="do not take the synthesis of --start-from over")
    add("--recounts", type=float, nargs="*", default=defaults["recounts"])
    whole = ("batch", "warmup", "seed", "cuts", "recount_thumbnails")
    parts = ("rate", "final_rate", "clip", "average", "step", "rate_weight", "anchor")
    for name in (*whole, *parts, "squared_weight", "ssim_weight"):
        kind = int if name in whole else float
        default = 2e-3 if name == "rate" else defaults[name]
        add("--" + name.replace("_", "-"), type=kind, default=default, help="default %(default)s")
    return parser.parse_args()


def main() -> None:
    """Begin, resume or start, train, plot."""
    options = arguments()
    torch.set_num_threads(options.threads)
    given = vars(options) | {"system": NAME, "iterations": 1, "recounts": tuple(options.recounts)}
    names = [f.name for f in fields(EmbeddedPlan) if f.name in given]
    plan = EmbeddedPlan(**{name: given[name] for name in names})
    torch.manual_seed(plan.seed)
    model = Networks(CONFIGS[plan.config])
    run = EmbeddedRun(plan, model, options.out, lambda m, t: measured(run)(m, t))
    photos, validation = data.load(options.data)
    if not run.resume():
        if options.start_from:
            run.take_over(options.start_from)
        else:
            run.begin(photos)
    counts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()
    }
    print(
        f"{plan.config}: weights {counts}, from thumbnail {run.samples} to {plan.samples}",
        flush=True,
    )
    run.report(validation[:300], [])
    run.train(photos, validation[:300], options.max_minutes, options.every)
    curve.plot(options.out / "log.csv", options.out / "curve.svg")


if __name__ == "__main__":
    main()
