"""Each codec says what a picture takes of memory, and no codec takes more."""

from __future__ import annotations

import pytest

from service.codec import artifact
from service.codec.registry import available, newest
from service.settings import packaged_artifacts
from tests.support.peak_memory import apart

SIDE, SIDE_OF_TILES = 192, 512
"""What networks of ``photo`` compute tile by tile is as much as it gets at the second."""
THUMB_BYTES = 8 * 2**20
"""What is next to nothing: a thumbnail's, and libraries' at their first call."""
PHOTO_FAMILIES = "full-resolution", "importance-map", "photo"
RUNS = "priming", "diffusion"


def processes() -> list[tuple[str, ...]]:
    """Codecs of thumbnails take next to nothing, and share a process; of photos' codecs that
    differ in their weights alone, or in how often they run, the first stands for all."""
    thumbs: list[str] = []
    photos: dict[str, str] = {}
    for name in available(packaged_artifacts()):
        manifest = artifact.read_manifest(newest(packaged_artifacts(), name))
        if manifest.family in PHOTO_FAMILIES:
            config = {key: of for key, of in manifest.config.items() if key not in RUNS}
            photos.setdefault(f"{manifest.family} {config}", name)
        else:
            thumbs.append(name)
    return [tuple(thumbs), *((name,) for name in photos.values())]


@pytest.mark.parametrize("names", processes(), ids=lambda names: names[0])
def test_no_picture_takes_more_than_its_codec_says(names: tuple[str, ...]) -> None:
    side = SIDE_OF_TILES if names == ("photo",) else SIDE
    found = apart(names, side)
    assert found.keys() == set(names)
    for name, works in found.items():
        for work, (took, said) in works.items():
            most = said or THUMB_BYTES
            assert took <= most, f"{name}, {work}: {took / side**2:.0f} bytes a pixel"
