"""Rate-distortion plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from service.evaluation.measure.metrics import Metric
from service.evaluation.measure.summary import Cell, Curve
from service.evaluation.report.tables import HEADINGS, Unit


def plot_curves(
    path: Path,
    curves: Sequence[Curve],
    own: Sequence[Cell],
    titles: Mapping[str, str],
    metrics: Sequence[Metric],
    unit: Unit,
    caption: str,
) -> None:
    """One panel a metric against rate, a line a codec, shaded with its 95 % confidence interval.

    ``own`` are placeholders, drawn as points. All curves count the same way. Writes a PNG that
    holds no date.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours = [mpl.colormaps["tab20"](2 * index % 20 + index // 10) for index in range(20)]
    figure = Figure(figsize=(6.4 * len(metrics), 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for panel, metric in zip(panels, metrics, strict=True):
        for colour, curve in zip(colours, curves, strict=False):
            if not len(curve.rates):
                continue
            mean, width = curve.scores[metric.name], curve.half_widths[metric.name]
            panel.plot(curve.rates, mean, color=colour, label=titles[curve.codec])
            panel.fill_between(curve.rates, mean - width, mean + width, color=colour, alpha=0.15)
        for colour, cell in zip(reversed(colours), own, strict=False):
            score = cell.scores[metric.name]
            rate = cell.file_rate.value
            label = titles[cell.codec]
            panel.errorbar(
                rate, score.value, yerr=score.half_width, fmt="o", color=colour, label=label
            )
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter("{x:g}")
        panel.set_xlabel("bytes" if unit == "bytes" else "bits per pixel")
        panel.set_ylabel(metric.title)
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize="small")
    counting = HEADINGS[curves[0].counting] if curves else ""
    figure.suptitle(f"{caption}; {counting}", fontsize="medium")
    figure.savefig(path, dpi=110, metadata={"Software": None})
