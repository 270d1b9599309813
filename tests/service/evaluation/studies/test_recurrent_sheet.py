"""A sheet shows each system at each rate, beside JPEG of at least as many bits."""

from __future__ import annotations

import numpy as np
from PIL import Image

from service.codec.recurrent.full_resolution import FullResolutionCodec
from service.codec.registry import load_codec
from service.evaluation.studies import recurrent_sheet
from service.inference import Runtime
from service.quality.psnr import psnr
from service.settings import packaged_artifacts
from tests.support.photos import free_photos


def test_a_sheet_has_a_row_a_system_and_a_column_a_rate(tmp_path) -> None:
    Image.fromarray(free_photos()["coffee"]).save(tmp_path / "photo.png")
    codec = load_codec(packaged_artifacts() / "gru-entropy", Runtime("cpu", 1))
    assert isinstance(codec, FullResolutionCodec)
    picture = recurrent_sheet.scene(tmp_path / "photo.png")
    assert picture.shape == (128, 128, 3)
    painted = recurrent_sheet.of_system(codec, picture)
    made = np.asarray(recurrent_sheet.sheet([picture], [codec]))
    down, across = (recurrent_sheet.SIDE + more for more in (17, 4))
    for column, one in enumerate(painted, 1):
        top, left = 13 + down, column * across
        assert np.array_equal(made[top : top + 128, left : left + 128], one)
    jpeg = [float(psnr(picture[None], one[None])[0]) for one in recurrent_sheet.of_jpeg(picture)]
    assert len(painted) == 3
    assert jpeg == sorted(jpeg)
