"""Pictures are found, squashed as the service squashes them, and named by their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.errors import ConfigurationError
from service.evaluation.data.pictures import Pictures, free_photos, load_pictures, parse_splits
from tests.support.photos import crops


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, crop in enumerate(crops(3, seed=1)):
        crop.save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_is_squashed_with_lanczos(folder: Path) -> None:
    pictures = load_pictures(folder, 32)
    assert pictures.names == ("0.png", "1.png", "2.png")
    for crop, rgb in zip(crops(3, seed=1), pictures.rgb, strict=True):
        expected = np.asarray(crop.resize((32, 32), Image.Resampling.LANCZOS), dtype=np.int16)
        assert np.abs(expected - rgb).max() <= 1


def test_a_folder_is_left_as_it_is_for_full_resolution(folder: Path) -> None:
    pictures = load_pictures(folder, None)
    for crop, rgb in zip(crops(3, seed=1), pictures.rgb, strict=True):
        np.testing.assert_array_equal(np.asarray(crop), rgb)
    assert pictures.least_side == min(min(crop.size) for crop in crops(3, seed=1))
    assert pictures.pixels.tolist() == [crop.width * crop.height for crop in crops(3, seed=1)]


def test_arrays_are_taken_as_they_are(tmp_path: Path) -> None:
    rgb = np.stack(free_photos(32).rgb)
    np.savez(tmp_path / "some.npz", rgb=rgb)
    pictures = load_pictures(tmp_path / "some.npz", 32)
    np.testing.assert_array_equal(np.stack(pictures.rgb), rgb)
    assert pictures.digest == free_photos(32).digest


def test_the_digest_is_of_pixels_and_shapes_alone() -> None:
    pictures = free_photos(32)
    renamed = Pictures(tuple("abcdef"), pictures.rgb)
    assert renamed.digest == pictures.digest
    changed = pictures.rgb[0].copy()
    changed[0, 0, 0] ^= 1
    assert Pictures(pictures.names, (changed, *pictures.rgb[1:])).digest != pictures.digest
    flat = tuple(rgb.reshape(16, 64, 3) for rgb in pictures.rgb)
    assert Pictures(pictures.names, flat).digest != pictures.digest
    assert pictures[1:3].digest != pictures[0:2].digest


@pytest.mark.parametrize("content", [None, "folder", "text", "floats", "other"])
def test_what_holds_no_pictures_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "data.npz"
    if content == "folder":
        path = tmp_path
    elif content == "text":
        path = tmp_path
        (tmp_path / "broken.png").write_text("no picture")
    elif content == "floats":
        np.savez(path, rgb=np.zeros((2, 32, 32, 3)))
    elif content == "other":
        np.savez(path, pixels=np.zeros((2, 32, 32, 3), np.uint8))
    with pytest.raises(ConfigurationError):
        load_pictures(path, 32)


def test_splits() -> None:
    assert parse_splits("0:300,300:1000", 1000) == [(0, 300), (300, 1000)]
    assert parse_splits("0:", 7) == [(0, 7)]
    assert parse_splits(":3, 2:9", 5) == [(0, 3), (2, 5)]
    for wrong in ("", "3", "a:b", "5:", "4:2", "-1:3"):
        with pytest.raises(ConfigurationError):
            parse_splits(wrong, 5)
