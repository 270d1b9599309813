"""/demo/compare: only where it is switched on, bounded, and what it says is so."""

from __future__ import annotations

import base64
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image

from service.http.jobs.comparison import FORMATS, LONGEST_BYTES, candidates
from service.quality.ssim import block_ssim
from tests.support.photos import crops, encoded
from tests.support.server import running_service


@pytest.fixture(scope="module")
def server():
    with running_service(PREFIXEL_DEMO="true", PREFIXEL_UPLOAD_TOKENS="word") as started:
        yield started


def compare(server, body, token="word"):
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(server.url + "/demo/compare/thumb", content=body, headers=headers, timeout=60)


def pixels_of(png):
    return np.asarray(Image.open(BytesIO(base64.b64decode(png))).convert("RGB"))


def test_without_the_setting_there_is_no_such_path():
    with running_service() as plain:
        answer = httpx.post(plain.url + "/demo/compare/thumb", content=encoded("jpeg"))
    assert answer.status_code == 404


def test_every_format_says_what_it_can_be(server):
    answer = compare(server, encoded("png")).raise_for_status()
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    reference = pixels_of(said["reference"])
    assert reference.shape == (32, 32, 3)
    assert [one["title"] for one in said["formats"]] == [one.title for one in FORMATS]
    for one in said["formats"]:
        found = one["candidates"]
        assert found
        assert not one["missing"]
        lengths = [candidate["bytes"] for candidate in found]
        assert lengths == sorted(set(lengths))
        scores = [candidate["ssim"] for candidate in found]
        assert scores == sorted(scores)
        for candidate in found:
            assert candidate["bytes"] <= candidate["file_bytes"]
            shown = pixels_of(candidate["picture"])
            ssim = block_ssim(reference[None], shown[None])[0]
            assert ssim == pytest.approx(candidate["ssim"], abs=1e-4)


@pytest.mark.parametrize("format", FORMATS, ids=lambda one: one.title)
def test_of_noise_only_the_smallest_may_be_longer_than_is_shown(format):
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    found = candidates(format.baseline, noise)
    assert found
    assert all(one["bytes"] <= LONGEST_BYTES for one in found[1:])


def test_what_is_no_picture_is_refused(server):
    assert compare(server, b"no picture").status_code == 415


def test_whoever_may_not_upload_may_not_compare(server):
    assert compare(server, encoded("jpeg", crops(1)[0]), token="other").status_code == 401
