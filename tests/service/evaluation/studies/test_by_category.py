from __future__ import annotations

import numpy as np
import pytest

from service.evaluation.data.pictures import Pictures
from service.evaluation.measure.metrics import METRICS
from service.evaluation.studies.by_category import by_kind, kinds_of
from tests.service.evaluation.measurements import measured

NAMES = ("icons/0", "icons/1", "text/0")


def test_a_kind_is_the_folder_that_a_picture_lies_in() -> None:
    found = kinds_of(NAMES)
    assert {kind: index.tolist() for kind, index in found.items()} == {"icons": [0, 1], "text": [2]}
    assert kinds_of(("a", "b")) == {}
    assert kinds_of(("icons/0", "b")) == {}
    assert kinds_of(("icons/0", "icons/1")) == {}


def test_a_kind_is_compared_at_the_bytes_that_the_baseline_spent_and_losses_are_named() -> None:
    jpeg = measured(
        "jpeg",
        [[30, 70], [30, 66], [30, 80]],
        [[0.1, 0.5], [0.1, 0.5], [0.1, 0.5]],
        header_bytes=600,
    )
    ours = measured("ours", [[8, 78]] * 3, [[0.46, 0.6], [0.6, 0.6], [0.2, 0.4]])
    text = by_kind(NAMES, [ours], jpeg, [64], [METRICS["ssim"]])
    table = text[2].splitlines()
    middle = 0.46 + 0.14 * 60 / 70
    assert table[2] == f"| icons (2) | +{(middle + 0.6) / 2 - 0.5:.3f} (68) |".replace("0.", ".")
    assert table[3] == "| text (1) | **−.100** (80) |"
    assert (
        text[3] == "the ours is under the jpeg on: text by up to .100 SSIM (8x8 blocks) (at 64 B)."
    )


def test_what_is_never_under_says_so() -> None:
    jpeg = measured("jpeg", [[64]] * 3, [[0.5]] * 3)
    ours = measured("ours", [[62]] * 3, [[0.5]] * 3)
    assert by_kind(NAMES, [ours], jpeg, [64], [METRICS["ssim"]])[-1].endswith("on: nothing.")
    assert by_kind(("a", "b", "c"), [ours], jpeg, [64], [METRICS["ssim"]]) == []


def test_drawn_pictures_are_the_same_for_a_seed_and_differ_within_a_kind() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("skimage")
    from service.evaluation.data.drawings import KINDS, other_kinds

    drawn: Pictures = other_kinds(32, each=8)
    assert drawn.digest == other_kinds(32, each=8).digest
    assert drawn.digest != other_kinds(32, each=8, seed=16).digest
    found = kinds_of(drawn.names)
    assert set(found) == set(KINDS)
    for index in found.values():
        rgb = [drawn.rgb[at] for at in index]
        assert all(one.shape == (32, 32, 3) and one.dtype == np.uint8 for one in rgb)
        assert len({one.tobytes() for one in rgb}) == 8
        assert all(one.std() > 1 for one in rgb)
