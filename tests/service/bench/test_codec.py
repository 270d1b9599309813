"""``prefixel bench codec``: every row is measured, beside Pillow's formats."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from service.bench import codec as bench
from service.bench.codec import Row, Start
from service.cli.main import main
from service.settings import packaged_artifacts


def test_rows_of_codec_and_peers_are_printed(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    folders: list[Path] = []

    def start(folder: Path, device: str) -> Start:  # compiling anew takes half a minute
        folders.append(folder)
        return Start(12.0, 0.5)

    monkeypatch.setattr(bench, "start", start)
    assert main(["bench", "codec", "--count", "6", "--rounds", "1", "--searched", "2"]) == 0
    text = capsys.readouterr().out
    assert folders == [packaged_artifacts() / "prefixel"]
    assert "6 thumbnails at once" in text
    assert "0.50 s, in 12.0 s where it must compile" in text
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    names = [name for name, *_ in rows]
    for name in ("AVIF, encoded by Pillow", "encoded, default, with levels", "encoded, best"):
        assert name in names
    assert re.search(r"takes [\d.]+ of AVIF's time. Entropy coding is \d+%", text)
    for _, rate, milliseconds, processor in rows:
        assert int(rate.replace(",", "")) > 0
        assert float(milliseconds) > 0
        assert float(processor) > 0


def test_a_row_is_the_median_of_its_rounds_without_the_first(monkeypatch) -> None:
    moments = iter([0, 90, 0, 5, 0, 7, 0, 6])  # wall: begin and end of each round
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(bench.time, "process_time", lambda: 0.0)
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        if len(calls) == 1:
            next(moments)  # the end of the round that warms up is not read

    assert bench._timed([work], 3) == [(6, 0)]
    assert len(calls) == 4


def test_the_table_has_rates_and_times() -> None:
    assert "| decoded | 2,000 | 0.500 | 0.250 |" in bench.table([Row("decoded", 0.0005, 0.00025)])


def test_the_summary_divides_what_belongs_together() -> None:
    rows = [
        Row("AVIF, encoded by Pillow", 0.004, 0.004),
        Row(bench.ENCODED, 0.001, 0.002),
        Row(bench.WRITING, 0.0009, 0.0005),
        Row(bench.DECODED, 0.0003, 0.0005),
        Row(bench.READING, 0.0009, 0.00005),
    ]
    assert bench.summary(rows) == (
        "Encoding takes 0.25 of AVIF's time. Entropy coding is 25% of the processor time of"
        " encoding, 10% of that of decoding."
    )


def test_thumbnails_are_different_and_the_same_again() -> None:
    found = bench.thumbnails(8, seed=2)
    assert found.shape == (8, 32, 32, 3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, bench.thumbnails(8, seed=2))
    assert len({picture.tobytes() for picture in found}) == 8


@pytest.mark.parametrize(
    "wrong", [["--count", "0"], ["--searched", "-1"], ["--codec", "conv-lstm"]]
)
def test_wrong_use_is_refused(wrong: list[str], capsys) -> None:
    assert main(["bench", "codec", *wrong]) == 2
    assert capsys.readouterr().err.startswith("prefixel: ")
