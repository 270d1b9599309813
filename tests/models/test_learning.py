"""Learning curves: logs that continue each other, compute counted where it was not logged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.training import compute
from models.training.learning import jpeg_lines, last_doubling, main, read
from models.zoo.catalogue import SYSTEMS


def log(path: Path, rows: list[dict[str, float]]) -> str:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def row(samples: float, ssim: float, **more: float) -> dict[str, float]:
    return {"samples": samples, "seconds": samples / 10, "ssim_64": ssim, **more}


def test_logs_that_continue_each_other_add_up(tmp_path: Path) -> None:
    first = log(tmp_path / "a.csv", [row(100, 0.5, gmac=10), row(200, 0.6, gmac=20)])
    second = log(tmp_path / "b.csv", [row(50, 0.7, gmac=40)])
    found = read("conv-ae-64", [first, second])
    assert found.samples.tolist() == [100, 200, 250]
    assert found.gmac.tolist() == [10, 20, 60]
    assert found.seconds.tolist() == [10, 20, 25]
    assert found.ssim[64].tolist() == [0.5, 0.6, 0.7]
    assert 128 not in found.ssim


def test_compute_is_counted_where_the_log_has_none(tmp_path: Path) -> None:
    old = log(tmp_path / "a.csv", [row(1000, 0.5)])
    system = SYSTEMS["conv-ae-64"]
    each = compute.macs(system.build(system.configs["small"]), 1)
    assert read("conv-ae-64", [f"{old}@1"]).gmac[0] == pytest.approx(1000 * each / 1e9)
    with pytest.raises(ValueError, match="give its iterations"):
        read("conv-ae-64", [old])
    log(tmp_path / "empty.csv", [row(1, 1)])
    (tmp_path / "empty.csv").write_text("samples,seconds,gmac\n")
    with pytest.raises(ValueError, match="no row"):
        read("conv-ae-64", [str(tmp_path / "empty.csv")])


def test_the_last_doubling_is_from_half_of_what_was_seen() -> None:
    samples, scores = np.array([40.0, 60.0, 100.0]), np.array([0.5, 0.7, 0.8])
    assert last_doubling(samples, scores) == pytest.approx(0.8 - 0.6)
    assert np.isnan(last_doubling(np.array([60.0, 100.0]), scores[1:]))


def test_the_table_and_the_plot_hold_every_system_and_jpeg(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = log(tmp_path / "a.csv", [row(100, 0.5, gmac=10), row(200, 0.6, gmac=20)])
    both = [row(100, 0.5, gmac=10, ssim_128=0.7), row(400, 0.6, gmac=40, ssim_128=0.8)]
    two = log(tmp_path / "b.csv", both)
    cells = tmp_path / "cells.csv"
    cells.write_text(
        "split,codec,counting,reading,target_bytes,ssim\n"
        "0..299,jpeg,payload,nearest,64,0.75\n0..299,jpeg,payload,exact,64,0.1\n"
        "300..999,jpeg,payload,nearest,64,0.2\n0..299,jpeg,payload,nearest,128,0.85\n"
    )
    assert jpeg_lines(cells) == {64: 0.75, 128: 0.85}
    out = tmp_path / "curves.svg"
    wanted = [f"conv-ae-64={one}", f"conv-lstm={two}", "--cells", str(cells), "--out", str(out)]
    main(wanted)
    printed = capsys.readouterr().out
    assert printed.splitlines()[2] == "| conv-ae-64 | 200 | 20 | 0.01 | 0.600 (+0.100) |  |"
    assert printed.splitlines()[3].endswith("| 0.600 (+0.067) | 0.800 (+0.067) |")
    drawn = out.read_bytes()
    main(wanted)
    assert out.read_bytes() == drawn

    cells.write_text("split,codec,counting,reading,target_bytes,ssim\n")
    with pytest.raises(ValueError, match="no JPEG"):
        jpeg_lines(cells)
