"""The README's tables of scores, from made up cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli import tables
from service.errors import ConfigurationError
from service.evaluation.report.document_tables import (
    headline,
    paper,
    read_cells,
    same_bytes,
    scores,
)

HEAD = (
    "split,codec,counting,reading,target_bytes,pictures,payload_bytes,file_bytes,covered_share,"
    "ssim,psnr\n"
)
ROWS = (
    "0..9,jpeg,payload,nearest,64,10,1,1,1.0000,0.1,1\n"
    "10..99,conv-lstm,payload,nearest,64,90,64.0,66.0,1.0000,0.8,22.0\n"
    "10..99,conv-lstm,payload,exact,64,90,,,1.0000,0.7,21.0\n"
    "10..99,jpeg,payload,nearest,64,90,66.6,691.0,1.0000,0.75,21.0\n"
    "10..99,jpeg,payload,exact,64,90,,,0.9950,0.74,20.5\n"
    "10..99,jpeg,payload,nearest,128,90,130.0,691.0,1.0000,0.85,24.0\n"
    "10..99,jpeg,payload,exact,128,90,,,0.9,0.84,23.5\n"
    "10..99,conv-lstm,payload,nearest,128,90,128.0,130.0,1.0000,0.88,25.0\n"
    "10..99,jpeg-opt,payload,nearest,64,90,66.6,691.0,1.0000,0.75,21.0\n"
    "10..99,thumbhash,payload,own,,90,24.0,24.0,1.0000,0.44,18.0\n"
    "10..99,conv-lstm,file,exact,64,90,,,1.0000,0.79,21.9\n"
    "10..99,conv-lstm,file,exact,128,90,,,1.0000,0.87,24.9\n"
    "10..99,jpeg,file,exact,64,90,,,0.0,nan,nan\n"
    "10..99,thumbhash,file,own,,90,24.0,24.0,1.0000,0.44,18.0\n"
)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "cells.csv"
    path.write_text(HEAD + ROWS)
    return path


def test_scores_are_those_of_the_last_split_with_what_was_spent(cells: Path) -> None:
    assert scores(read_cells(cells)).splitlines()[2:] == [
        "| `conv-lstm` | .800 / 22.00 | .880 / 25.00 |",
        "| JPEG 4:2:0 | .750 / 21.00 (67) | .850 / 24.00 (130) |",
        "",
        "Means over the pictures 10..99.",
    ]


def test_ours_are_counted_whole_and_others_without_headers(cells: Path) -> None:
    assert same_bytes(read_cells(cells)).splitlines()[2:] == [
        "| `conv-lstm` | .790 / 21.90 | .870 / 24.90 |",
        "| JPEG 4:2:0 | .740 / 20.50 | – |",
        "",
        "Means over the pictures 10..99. ThumbHash has .440 / 18.00 at its own 24 bytes.",
    ]


def test_a_system_stands_beside_the_printed_figure(cells: Path) -> None:
    lines = paper(read_cells(cells)).splitlines()
    assert lines[3].startswith("| Conv/deconv LSTM | .77 | .800 (64.0) | +.07 | +.050 | .87 |")
    without = [row for row in read_cells(cells) if row["codec"] != "jpeg"]
    with pytest.raises(ConfigurationError, match="no JPEG"):
        paper(without)


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_cells(tmp_path / "cells.csv")
    (tmp_path / "cells.csv").write_text("split,codec,target_bpp\n0..9,jpeg,0.5\n")
    with pytest.raises(ConfigurationError, match="no cells"):
        read_cells(tmp_path / "cells.csv")


def test_a_table_is_put_between_its_marks(cells: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- scores -->\nold\n<!-- /scores -->\nb\n")
    text = tables.table("scores", cells)
    tables.put_into(page, "scores", text)
    assert page.read_text() == f"a\n<!-- scores -->\n{text}\n<!-- /scores -->\nb\n"
    page.write_text("a\n<!-- scores -->\n")
    with pytest.raises(ConfigurationError, match="has not one block"):
        tables.put_into(page, "scores", text)


def test_the_headline_is_ours_and_today_s_at_equal_bytes(cells: Path) -> None:
    assert headline(read_cells(cells)).splitlines()[2:] == [
        "| JPEG 4:2:0 | .740 / 20.50 | – |",
        "",
        "Means over the pictures 10..99.",
    ]
