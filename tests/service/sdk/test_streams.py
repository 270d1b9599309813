"""prefixel.encode and prefixel.decode, by the real codecs."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import prefixel
from service.errors import CodecError, ConfigurationError, ParameterError
from tests.support.photos import crops, encoded


def test_a_photo_is_any_of_path_bytes_picture_and_array(tmp_path: Path) -> None:
    crop = crops(1, seed=2, size_range=(96, 96))[0]
    path = tmp_path / "photo.png"
    path.write_bytes(encoded("png", crop))
    ways = (path, str(path), path.read_bytes(), crop, np.asarray(crop))
    streams = {prefixel.encode(way, bytes=64) for way in ways}
    assert len(streams) == 1
    [stream] = streams
    assert len(stream) == 64
    assert prefixel.decode(stream).shape == (32, 32, 3)


def test_a_photo_keeps_its_size_and_is_cut() -> None:
    picture = np.asarray(crops(1, seed=3, size_range=(120, 120))[0])
    whole = prefixel.encode(picture, codec="photo")
    assert prefixel.encode(picture, codec="photo", bytes=300) == whole[:300]
    assert prefixel.encode(picture, codec="photo", bpp=0.5) == whole[:900]
    assert prefixel.encode(picture, codec="photo", bpp=0.5, bytes=700) == whole[:700]
    shown = prefixel.decode(whole)
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture).mean() < 3
    assert prefixel.decode(whole, size=40).shape == (60, 60, 3)


def test_what_is_wrong_is_said() -> None:
    picture = crops(1, seed=3, size_range=(64, 64))[0]
    with pytest.raises(ParameterError, match="bytes or more"):
        prefixel.encode(picture, bytes=1)
    with pytest.raises(ParameterError, match="thumbnails"):
        prefixel.encode(picture, bpp=1)
    with pytest.raises(ConfigurationError):
        prefixel.encode(picture, codec="nope")
    with pytest.raises(ValueError, match="uint8"):
        prefixel.encode(np.zeros((4, 4)))
    with pytest.raises(CodecError):
        prefixel.decode(b"\xff\xd8\xff\xe0")


def test_importing_it_loads_no_codec() -> None:
    code = "import sys, prefixel; print('numba' in sys.modules, 'onnxruntime' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_a_picture_comes_back_through_pillow() -> None:
    stream = prefixel.encode(crops(1, seed=4)[0])
    body = io.BytesIO()
    Image.fromarray(prefixel.decode(stream)).save(body, "PNG")
    assert body.getvalue()
