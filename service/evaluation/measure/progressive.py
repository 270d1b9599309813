"""Whether a stream really is progressive: every level is a better picture than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.codec.interface import Codec, Pixels, measured
from service.evaluation.measure.measuring import Measured
from service.evaluation.measure.metrics import Metric
from service.evaluation.report.tables import markdown


@dataclass(frozen=True)
class Progress:
    """Of one codec by one metric, from each level to the next.

    ``least_gain`` is the smallest rise of the mean over pictures (negative: it falls), after the
    prefix of ``at_bytes``; ``rising_share`` the share of all pictures and steps at which the score
    rises, ``always_share`` the share of pictures at which it never falls. Level by level: the
    longest prefix ``ends_bytes`` [L], ``means`` [L], and ``rises`` [L - 1], the share of pictures
    on which the next level is better.
    """

    steps: int
    least_gain: float
    at_bytes: int
    rising_share: float
    always_share: float
    ends_bytes: tuple[int, ...]
    means: tuple[float, ...]
    rises: tuple[float, ...]


def level_ends(codec: Codec, rgb: Pixels) -> list[int]:
    """Prefix lengths, in bytes, that the codec measures while it encodes."""
    [one] = measured(codec, [rgb], codec.encode([rgb], [1.0]))
    return [level.bytes for level in one.levels or ()]


def progress_of(measured: Measured, ends: Sequence[int], metric: str) -> Progress:
    """Steps between the prefixes of these lengths. Raises ValueError for fewer than two."""
    columns = [
        column
        for column, length in enumerate(measured.file_bytes.max(axis=0))
        if length in set(ends)
    ]
    if len(columns) < 2:
        raise ValueError(f"{len(columns)} levels were measured; 2 are needed")
    gains = np.diff(measured.scores[metric][:, columns], axis=1)
    means = gains.mean(axis=0)
    least = int(np.argmin(means))
    return Progress(
        len(columns) - 1,
        float(means[least]),
        int(measured.file_bytes[:, columns[least]].max()),
        float((gains > 0).mean()),
        float((gains >= 0).all(axis=1).mean()),
        tuple(int(end) for end in measured.file_bytes[:, columns].max(axis=0)),
        tuple(float(mean) for mean in measured.scores[metric][:, columns].mean(axis=0)),
        tuple(float(share) for share in (gains > 0).mean(axis=0)),
    )


def progress_table(rows: Sequence[tuple[str, Metric, Progress]]) -> str:
    """One row a codec and metric."""
    head = ["level by level", "steps", "least mean gain", "it rises", "pictures it never falls on"]
    return markdown(
        [head[0], "", *head[1:]],
        [
            [
                title,
                metric.title,
                f"{found.steps}",
                f"{found.least_gain:+.4f} after {found.at_bytes} B",
                f"{100 * found.rising_share:.1f} %",
                f"{100 * found.always_share:.1f} %",
            ]
            for title, metric, found in rows
        ],
    )


def levels_table(rows: Sequence[tuple[str, Metric, Progress]]) -> str:
    """One row a level, one column a codec: prefix, mean score, where it is better than before."""
    deepest = max(len(found.means) for _, _, found in rows)
    lines = []
    for level in range(deepest):
        line = [f"{level + 1}"]
        for _, metric, found in rows:
            if level >= len(found.means):
                line.append("")
                continue
            text = f"{metric.text(found.means[level])} at {found.ends_bytes[level]} B"
            line.append(f"{text}, {100 * found.rises[level - 1]:.1f} %" if level else text)
        lines.append(line)
    return markdown(["level", *(title for title, _, _ in rows)], lines)
