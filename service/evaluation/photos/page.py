"""The page, its plot and the cells of an evaluation of photos."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from rich.console import Console

from service.evaluation.measure.costs import machine
from service.evaluation.measure.metrics import Metric
from service.evaluation.measure.summary import Curve
from service.evaluation.photos.measures import SSIMULACRA2
from service.evaluation.photos.measuring import Points
from service.evaluation.photos.run import PhotoPlan, PhotoResults, measure_photos
from service.evaluation.photos.tables import (
    MISSING,
    SPAN,
    points_csv,
    rate_table,
    small_table,
    steps_text,
    target_tables,
)
from service.evaluation.report.plots import plot_curves

WHOLE = 0.02, SPAN[1]


def evaluate_photos(plan: PhotoPlan, console: Console, name: str = "photos") -> str:
    """Measure; the page as Markdown, which is also in ``out/NAME.md``.

    Beside it ``NAME.csv`` (every photo, codec and setting) and ``NAME.png``.
    """
    results = measure_photos(plan, console)
    plan.out.mkdir(parents=True, exist_ok=True)
    page = page_of(plan, results, name)
    everything = [*results.ours, *results.others]
    cells = points_csv(everything, plan.pictures.names, plan.measures)
    (plan.out / f"{name}.md").write_text(page, encoding="utf-8")
    (plan.out / f"{name}.csv").write_text(cells, encoding="utf-8")
    plot_curves(
        plan.out / f"{name}.png",
        [_curve(points, plan.measures) for points in everything],
        [],
        {points.name: points.title for points in everything},
        plan.measures,
        "bpp",
        f"{len(plan.pictures)} photos, means at each setting",
    )
    return page


def page_of(plan: PhotoPlan, results: PhotoResults, name: str) -> str:
    """The page as Markdown."""
    points = [*results.ours, *results.others]
    blocks = [
        "# Photos",
        _head(plan),
        f"![mean scores against bits per pixel]({name}.png)",
        f"## Rate for equal quality, {SPAN[0]:g} to {SPAN[1]:g} bits per pixel",
        "Bjontegaard rates (PCHIP), less is better: of the mean curve (means of rates and scores at"
        " each setting), in brackets the mean over the photos' own differences. SSIM and MS-SSIM in"
        " dB, −10 log10(1 − mean). Curves are compared where both have points: a stream of ours"
        f" ends at 42 dB or at its bits per pixel. `{MISSING}`: nothing in common.",
        rate_table(results.ours, results.others, plan.measures, SPAN),
        f"## The same down to {WHOLE[0]:g} bits per pixel",
        rate_table(results.ours, results.others, plan.measures, WHOLE),
        "## Scores at bits per pixel",
        "Means over the photos. Ours are streams cut there (a stream that has ended counts as it"
        " is); others lie between their settings (PCHIP over log rate of each photo);"
        f" `{MISSING}`: not within the settings on every photo.",
        target_tables(points, plan.measures),
        "## Short prefixes beside thumbnails",
        "At full size: the thumbnail stream of as many bytes, scaled up bicubic, and the photo"
        f" stream ({plan.orders[0]}) cut there.",
        small_table(results.small),
    ]
    if results.steps.size:
        blocks += ["## Every length", steps_text(results.steps) + f" Order: {plan.orders[0]}."]
    blocks += ["## What is counted", _counted(plan)]
    return "\n\n".join(blocks) + "\n"


def _head(plan: PhotoPlan) -> str:
    missing = "" if SSIMULACRA2 in plan.measures else " SSIMULACRA2 was not asked for."
    return (
        f"{plan.pictures.describe()}, as they are, measured on {machine()}; artifact sha256"
        f" {plan.fingerprint[:16]}. Printed by `{plan.command}`.{missing}"
    )


def _counted(plan: PhotoPlan) -> str:
    lines = ["- photo: whole streams and prefixes of them, headers counted, painted from one parse"]
    for baseline in plan.baselines:
        settings = ", ".join(f"{setting:g}" for setting in baseline.settings)
        lines.append(f"- {baseline.title}: whole files at {settings}; {baseline.version()}")
    libraries = ["numpy", "bjontegaard"] + ["ssimulacra2"] * (SSIMULACRA2 in plan.measures)
    lines.append("- " + ", ".join(f"{library} {version(library)}" for library in libraries))
    return "\n".join(lines)


def _curve(points: Points, measures: Sequence[Metric]) -> Curve:
    count = len(points.bpp)
    means = {m.name: points.scores[..., at].mean(0) for at, m in enumerate(measures)}
    widths = {
        m.name: 1.96 * points.scores[..., at].std(0) / count**0.5 for at, m in enumerate(measures)
    }
    return Curve(points.name, "file", points.bpp.mean(0), means, widths)
