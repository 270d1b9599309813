"""Every baseline by its name."""

from __future__ import annotations

from collections.abc import Sequence

from service.errors import ConfigurationError
from service.evaluation.baselines.avif import AVIF
from service.evaluation.baselines.base import Baseline
from service.evaluation.baselines.jpeg import JPEG
from service.evaluation.baselines.jpeg2000 import JPEG2000
from service.evaluation.baselines.jpegxl import JPEGXL
from service.evaluation.baselines.placeholders import PLACEHOLDERS
from service.evaluation.baselines.webp import WEBP

BASELINES: dict[str, Baseline] = {
    baseline.name: baseline for baseline in (*JPEG, *JPEG2000, WEBP, *AVIF, JPEGXL, *PLACEHOLDERS)
}


def find_baselines(names: Sequence[str]) -> list[Baseline]:
    """Baselines in the order asked for; ``all`` is every one.

    Raises ConfigurationError for a name that there is not.
    """
    found: dict[str, Baseline] = {}
    for name in names:
        if name != "all" and name not in BASELINES:
            raise ConfigurationError(f"no baseline {name!r}; there are {', '.join(BASELINES)}")
        found.update(BASELINES if name == "all" else {name: BASELINES[name]})
    return list(found.values())
