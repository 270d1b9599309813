"""SSIMULACRA2 as a loss stands near the metric and has its slopes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from models.photo import perceived
from tests.models.photo.conftest import Pixels

ssimulacra2 = pytest.importorskip("ssimulacra2")


def _png(picture: Pixels) -> io.BytesIO:
    body = io.BytesIO()
    Image.fromarray(picture).save(body, "png")
    body.seek(0)
    return body


def _planes(picture: Pixels) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def test_scores_stand_near_the_metrics(pictures: list[Pixels]) -> None:
    """But for borders, and the scale that a picture of 256 pixels has more."""
    rng = np.random.default_rng(3)
    picture = np.tile(pictures[0], (2, 2, 1))[:256, :256]
    found, expected = [], []
    for noise in (1.0, 4.0, 12.0, 20.0):
        other = np.clip(picture + noise * rng.normal(size=picture.shape), 0, 255).astype(np.uint8)
        found.append(float(perceived.score(perceived.errors(_planes(picture), _planes(other)))))
        expected.append(ssimulacra2.compute_ssimulacra2(_png(picture), _png(other)))
    assert expected == sorted(expected, reverse=True)
    np.testing.assert_allclose(found, expected, atol=3)
    assert float(perceived.errors(_planes(picture), _planes(picture))) < 1e-2


def test_slopes(pictures: list[Pixels]) -> None:
    photo = _planes(pictures[1])
    torch.manual_seed(3)
    shown = (photo + 12 * torch.randn(photo.shape)).requires_grad_()
    way = photo - shown.detach()
    (slope,) = torch.autograd.grad(perceived.errors(photo, shown).sum(), shown)
    with torch.no_grad():
        ahead, back = (perceived.errors(photo, shown + s * way) for s in (0.01, -0.01))
    assert float((slope * way).sum()) == pytest.approx(float(ahead - back) / 0.02, rel=0.05)


def test_a_photo_stands_beside_all_that_are_shown(pictures: list[Pixels]) -> None:
    photos = torch.cat([_planes(picture) for picture in pictures[:2]])
    torch.manual_seed(4)
    shown = photos.repeat_interleave(2, 0) + 8 * torch.randn(4, *photos.shape[1:])
    alone = [perceived.errors(photos[n // 2, None], shown[n, None]) for n in range(4)]
    torch.testing.assert_close(perceived.errors(photos, shown), torch.cat(alone))
