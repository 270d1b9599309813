from __future__ import annotations

import numpy as np
import pytest

from service.evaluation.measure.metrics import METRICS
from service.evaluation.report.same_bytes import at_bytes, rule_points, same_bytes, stream_points
from tests.service.evaluation.measurements import measured, straight

SSIM = [METRICS["ssim"]]

pytest.importorskip("bjontegaard")


def test_whole_streams_are_cut_at_each_picture_s_own_bytes() -> None:
    ours = measured("ours", [[10, 20]] * 3, [[0.2, 0.4]] * 3, header_bytes=2)
    found = at_bytes(ours, np.array([12.0, 17.0, 11.0]), "ssim")
    assert found[0] == pytest.approx(0.2)
    assert found[1] == pytest.approx(0.3)
    assert np.isnan(found[2])


def test_the_anchor_s_points_are_what_the_rule_spends_without_headers() -> None:
    anchor = measured("jpeg", [[30, 40, 80], [50, 60, 90]], [[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])
    rates, scores = rule_points(anchor, np.array([32.0, 64.0]), "ssim")
    assert rates.tolist() == [45, 85]
    np.testing.assert_allclose(scores, [0.25, 0.4])


def test_ours_are_prefixes_with_their_headers_up_to_the_limit() -> None:
    ours = measured("ours", [[14, 62, 63]], [[0.2, 0.4, 0.5]])
    rates, scores = stream_points(ours, 64, "ssim")
    assert rates.tolist() == [16, 64]
    assert scores.tolist() == [0.2, 0.4]


def test_the_rate_difference_counts_our_headers_and_not_the_anchor_s() -> None:
    """Equal payloads: ours costs its header more, relative to bytes between 32 and 256."""
    jpeg, ours = straight("jpeg", 0.1, 0.09, header_bytes=600), straight("ours", 0.1, 0.09)
    text = "\n".join(same_bytes([ours], [jpeg], [32, 256], SSIM, "jpeg"))
    (row,) = [line for line in text.splitlines() if line.startswith("| the ours | +")]
    assert 100 * 2 / 256 < float(row.split("+")[1].split(" %")[0]) < 100 * 2 / 32
    assert "from 32.0 to 256.0 bytes of payload" in text
    assert "(over 99 % of its range)" in row


def test_how_much_of_the_anchor_s_range_ours_reaches_is_said() -> None:
    jpeg, weak = straight("jpeg", 0.1, 0.09), straight("weak", 0.1 - 1.5 * 0.09, 0.09)
    text = "\n".join(same_bytes([weak], [jpeg], [32, 256], SSIM, "jpeg"))
    (row,) = [line for line in text.splitlines() if line.startswith("| the weak | +")]
    assert 100 * (2**1.5 - 1) < float(row.split("+")[1].split(" %")[0]) < 105 * (2**1.5 - 0.9)
    octaves = np.array([5, 8, np.log2(254) - 1.5])
    low, high, reached = np.log10(1 - (0.101 + 0.09 * octaves))
    assert f"(over {100 * (low - reached) / (low - high):.0f} % of its range)" in row


def test_a_target_compares_whole_streams_with_payloads() -> None:
    jpeg, ours = straight("jpeg", 0.1, 0.1, header_bytes=600), straight("ours", 0.1, 0.1)
    table = same_bytes([ours], [jpeg], [64], SSIM, "none")[1].splitlines()
    assert table[2] == f"| the ours | {0.101 + 0.1 * np.log2(62):.3f} |".replace("0.", ".")
    assert table[3] == f"| the jpeg | {0.101 + 0.1 * np.log2(64):.3f} |".replace("0.", ".")


def test_a_placeholder_meets_ours_at_its_own_bytes() -> None:
    hashed = measured("hash", [[20], [24]], [[0.3], [0.4]], header_bytes=0, own_size=True)
    ours = measured("ours", [[18, 22]] * 2, [[0.5, 0.6]] * 2)
    late = measured("late", [[30, 40]] * 2, [[0.5, 0.6]] * 2)
    table = same_bytes([ours, late], [hashed], [64], SSIM, "jpeg")[-1].splitlines()
    assert table[2].startswith("| the hash | 22.0 | .350 |")
    assert table[3].startswith("| the ours | 22.0 | .550 | +.200 ±")
    assert "no prefix so short" in table[4]
