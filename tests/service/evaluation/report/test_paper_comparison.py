from __future__ import annotations

import numpy as np
import pytest

from service.evaluation.report.paper_comparison import beside_paper, scores_of
from service.evaluation.report.paper_table import ORDER, ROWS, TARGETS
from tests.service.evaluation.measurements import measured, straight


def cells(table: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def test_a_row_is_what_the_paper_s_rule_chooses_on_every_picture() -> None:
    jpeg = measured("jpeg", [[60, 70, 140], [63, 64, 130]], [[0.5, 0.6, 0.8], [0.4, 0.5, 0.7]])
    answers, scores = scores_of([jpeg])
    np.testing.assert_array_equal(scores["jpeg", 64], [0.6, 0.5])
    assert answers["jpeg", 64].spent_bytes == 67
    assert answers["jpeg", 128].mean_ssim == pytest.approx(0.75)


def test_leads_over_jpeg_stand_beside_the_printed_ones() -> None:
    jpeg, lstm = straight("jpeg", 0.1, 0.1), straight("conv-lstm", 0.15, 0.1)
    table, why, pairs = beside_paper([lstm, jpeg])
    rows = cells(table)
    assert rows["JPEG"][:2] == [".70 (72.5)", ".701 (64.0)"]
    assert rows["Conv/deconv LSTM"] == [
        *(".77", ".751 (64.0)", "+.07", "+.050"),
        *(".87", ".851 (128.0)", "+.07", "+.050"),
    ]
    assert ".701 at 64 bytes, where .70 is printed and .801 at 128 bytes" in why
    assert cells(pairs)["Conv/deconv LSTM − JPEG"] == [
        *("+.07", "+.050 ± .000"),
        *("+.07", "+.050 ± .000"),
    ]


def test_the_autoencoder_is_two_artifacts_one_for_each_target() -> None:
    parts = [straight("jpeg", 0.1, 0.1), straight("conv-ae-64", 0.2, 0.1)]
    row = cells(beside_paper(parts)[0])["Conv/deconv autoencoder"]
    assert row[1] == ".801 (64.0)"
    assert row[5] == row[7] == ""
    row = cells(beside_paper([*parts, straight("conv-ae-128", 0.0, 0.1)])[0])[
        "Conv/deconv autoencoder"
    ]
    assert row[5] == ".701 (128.0)"


def test_a_pair_the_wrong_way_round_is_seen() -> None:
    parts = [straight("jpeg", 0.1, 0.1), straight("fc-shared", 0.2, 0.1)]
    parts.append(straight("fc-distinct", 0.15, 0.1))
    pairs = cells(beside_paper(parts)[2])
    name = (
        "Fully connected residual encoder, distinct weights"
        " − Fully connected residual encoder, shared weights"
    )
    assert pairs[name][:2] == ["+.19", "−.050 ± .000"]


def test_without_jpeg_or_a_system_there_is_nothing_to_compare() -> None:
    assert beside_paper([straight("conv-lstm", 0.1, 0.1)]) == []
    assert beside_paper([straight("jpeg", 0.1, 0.1), straight("webp", 0.1, 0.1)]) == []
    assert beside_paper([straight("jpeg", 0.1, 0.1), straight("prefixel", 0.1, 0.1)]) == []


def test_the_printed_order_is_that_of_the_printed_figures() -> None:
    ssim = {row.title: row.ssim for row in ROWS}
    for first, second in ORDER:
        for target in TARGETS:
            assert ssim[first][target] > ssim[second][target] - 0.02
