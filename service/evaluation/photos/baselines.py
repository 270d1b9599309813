"""Today's formats for photos, at a ladder of settings each; whole files are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from service.errors import ConfigurationError
from service.evaluation.baselines import BASELINES, Baseline, avif, jpegxl, raster
from service.evaluation.baselines.base import Pixels

AVIF_SPEED = 6
JPEGXL_EFFORT = 7
JPEG2000_BPP = (0.08, 0.15, 0.25, 0.4, 0.6, 0.9, 1.3, 1.9)


def _jpeg2000(rgb: Pixels, setting: float) -> bytes:
    """Of so many bits a pixel, as ours are cut: equal rates on every photo."""
    return raster.write(
        rgb,
        "JPEG2000",
        quality_mode="rates",
        quality_layers=[24 / setting],
        irreversible=True,
        mct=1,
        num_resolutions=6,
    )


def _avif(name: str, subsampling: str) -> Baseline:
    return replace(
        BASELINES["avif" if subsampling == "4:4:4" else "avif-420"],
        name=name,
        title=f"AVIF {subsampling}, speed {AVIF_SPEED}",
        settings=(2, 18, 36, 50, 63, 75, 86),
        encode=partial(avif.encode, subsampling, AVIF_SPEED),
    )


PHOTO_BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        replace(
            BASELINES["jpeg-opt"], title="JPEG 4:2:0", settings=(6, 12, 20, 35, 55, 72, 85, 92)
        ),
        replace(
            BASELINES["jpeg-444-opt"], title="JPEG 4:4:4", settings=(5, 10, 18, 32, 50, 68, 82, 90)
        ),
        replace(BASELINES["webp"], title="WebP, method 6", settings=(0, 8, 20, 40, 60, 76, 86, 93)),
        replace(
            BASELINES["jpeg2000"],
            title="JPEG 2000, 6 resolutions",
            settings=JPEG2000_BPP,
            encode=_jpeg2000,
        ),
        replace(
            BASELINES["jxl"],
            name="jxl-e7",
            title=f"JPEG XL, effort {JPEGXL_EFFORT}",
            settings=tuple(25 - distance for distance in (25, 14, 8, 5, 3.2, 2.1, 1.3, 0.8)),
            encode=partial(jpegxl.encode, JPEGXL_EFFORT),
        ),
        _avif("avif-s6", "4:4:4"),
        _avif("avif-420-s6", "4:2:0"),
    )
}


def find_photo_baselines(names: Sequence[str]) -> list[Baseline]:
    """Baselines in the order asked for; all where none is named, none for ``none``.

    Raises ConfigurationError for a name that there is not.
    """
    unknown = [name for name in names if name not in (*PHOTO_BASELINES, "all", "none")]
    if unknown:
        known = ", ".join(PHOTO_BASELINES)
        raise ConfigurationError(f"no baseline {unknown[0]!r} for photos; there are {known}")
    if not names or "all" in names:
        return list(PHOTO_BASELINES.values())
    return [PHOTO_BASELINES[name] for name in dict.fromkeys(names) if name != "none"]
