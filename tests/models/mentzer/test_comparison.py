"""Trainings are compared at equal quality, between measured points alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.mentzer import comparison


def row(run: str, ms_ssim: float, bits: float, exact: float) -> comparison.Row:
    return {"run": run, "ms_ssim": ms_ssim, "context": bits, "masked": 0.9 * bits, "exact": exact}


def test_a_rate_lies_between_points_in_logarithm_and_decibels() -> None:
    points = [(0.99, 0.4), (0.9, 0.1)]  # 20 and 10 dB
    assert comparison.joint_rate(points, 1 - 10**-1.5) == pytest.approx(0.2)
    assert comparison.joint_rate(points, 0.9) == pytest.approx(0.1)
    assert comparison.joint_rate(points, 0.89) is None
    assert comparison.joint_rate(points, 0.991) is None


def test_joint_training_is_held_against_each_other_one_that_it_reaches(tmp_path: Path) -> None:
    joint = [row("joint-15", 0.9, 0.1, 0.2), row("joint", 0.99, 0.4, 0.8)]
    others = [row("afterwards-8", 1 - 10**-1.5, 0.25, 0.4), row("no-map", 0.995, 0.3, 0.3)]
    for name, rows in {"one": joint, "two": others}.items():
        (tmp_path / name).mkdir()
        comparison.write(rows, tmp_path / name / "table.csv")
    rows = comparison.read([tmp_path / "one", tmp_path / "two"])
    assert rows == joint + others
    lines = comparison.compared(rows).splitlines()
    assert lines[2].endswith("| 0.200 for 0.250: -20.0% | 0.400 for 0.400: +0.0% | -22 % |")
    assert "0.300, not in reach" in lines[3]
    assert "-10.0%" in lines[4]
