"""An embedded codec at every byte: what is counted, and that falls and surplus are found."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from PIL import Image

from service.codec.header import HEADER_BYTES
from service.codec.prefixel import bitplane_coder
from service.codec.prefixel.codec import EmbeddedCodec, quantise
from service.evaluation.studies import every_byte
from service.evaluation.studies.every_byte import EveryByte
from tests.service.codec.prefixel.test_codec import ideal_bits, odd_pictures


def test_symbols_say_what_their_frequencies_are_worth(prefixel: EmbeddedCodec, pictures) -> None:
    both = np.concatenate([pictures[:2], odd_pictures()[2:4]])
    for values in quantise(prefixel.stored, both):
        found = every_byte.symbol_bits(prefixel.tables, values)
        np.testing.assert_allclose(found, ideal_bits(prefixel.tables, values), rtol=1e-12)
        [payload] = bitplane_coder.encode(prefixel.packed, values[None], 20_000)
        _, symbols = bitplane_coder.decode(prefixel.packed, [payload])
        assert symbols[0] == len(found)


def test_each_prefix_is_painted_and_counted(prefixel: EmbeddedCodec, pictures) -> None:
    found = every_byte.measure(prefixel, list(pictures), "default")
    assert list(found.lengths) == list(range(HEADER_BYTES, prefixel.maximum_bytes + 1))
    streams = [e.stream for e in prefixel.encode(pictures, [1.0] * len(pictures))]
    for n, stream in enumerate(streams):
        counted = ~np.isnan(found.over[n])
        assert counted.sum() == len(stream) - HEADER_BYTES + 1
        assert found.over[n, 0] == 0
        assert found.over[n, counted].min() > -0.1  # the likeliest symbol costs a little less
    decided = prefixel.inspect(streams[0][:64]).facts["symbols"]
    known, _ = bitplane_coder.decode(prefixel.packed, [streams[0][HEADER_BYTES:]])
    values = known.cells[0].astype(np.int32) << known.plane[0].astype(np.int32)
    ideal = ideal_bits(prefixel.tables, values)[:decided]
    assert math.isclose(found.over[0, 62], 62 - sum(ideal) / 8, abs_tol=1e-9)
    text = every_byte.report(found)
    assert "6 pictures, cut at every byte from 2 to 512" in text
    assert f"| 64 | {found.ssim[:, 62].mean():.4f} |" in text


def test_where_no_picture_is_left_a_sentence_says_so(tmp_path, monkeypatch) -> None:
    Image.new("RGB", (32, 32), (9, 99, 200)).save(tmp_path / "one.png")
    monkeypatch.setattr(sys, "argv", ["x", "--data", str(tmp_path), "--skip", "4"])
    with pytest.raises(SystemExit, match="leave none of 1 pictures"):
        every_byte.main()


def test_where_the_mean_falls_is_found() -> None:
    scores = np.array([[0.1, 0.5, 0.3, 0.6], [0.1, 0.3, 0.4, 0.4]])
    lengths = np.arange(2, 6)
    found = EveryByte(lengths, scores, 10 * scores, np.zeros((2, 4)))
    step, at = found.smallest_step(found.ssim)
    assert step == pytest.approx(-0.05)
    assert at == 3
    assert found.smallest_step(np.sort(scores))[0] > 0


def test_the_length_where_one_effort_is_least_above_another_is_said() -> None:
    lengths = np.arange(24, 28)
    base, nothing = np.full((2, 4), 0.5), np.zeros((2, 4))
    better = base + np.array([[-9, 0.2, 0.0, 0.3], [-9, 0.4, 0.1, 0.3]])  # 24 bytes do not count
    found = EveryByte(lengths, better, 10 * better, nothing)
    text = every_byte.comparison(found, EveryByte(lengths, base, 10 * base, nothing), "default")
    assert text == (
        "Over default, from 25 bytes on:"
        " SSIM +0.05000 at the least (26 bytes), +0.21667 on average;"
        " PSNR +0.5000 dB at the least (26 bytes), +2.1667 dB on average."
    )
