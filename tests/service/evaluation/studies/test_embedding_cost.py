"""The cost of being embedded: what is compared, and that a cost is found where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from service.codec.prefixel.codec import EmbeddedCodec, whole_steps
from service.codec.prefixel.context_model import Known
from service.codec.prefixel.rate_model import Truncator
from service.codec.prefixel.reconstruction import closed_form, precision, to_rgb
from service.evaluation.measure.ideal_prefixes import shown
from service.evaluation.studies import embedding_cost
from service.evaluation.studies.embedding_cost import EmbeddingCost, Quality
from service.quality.psnr import psnr
from tests.service.codec.prefixel.test_codec import ideal_bits


def on_a_curve(length: float, alone_length: float) -> EmbeddingCost:
    """SSIM and dB rise with the logarithm of bytes; alone it takes ``alone_length`` bytes."""

    def at(n: float) -> Quality:
        return Quality(0.1 * np.log(n), 7 * np.log(n))

    sides = 1.1
    return EmbeddingCost(
        length, at(length), at(alone_length), at(length / sides), at(length * sides), sides**2
    )


def test_a_difference_is_told_in_bytes() -> None:
    for measure in ("ssim", "psnr"):
        assert on_a_curve(100, 105).percent(measure) == pytest.approx(5)
        assert on_a_curve(60, 57).percent(measure) == pytest.approx(-5)
    flat = EmbeddingCost(64, *[Quality(0.5, 20)] * 4, 1.2)
    with pytest.raises(ValueError, match="64 bytes"):
        flat.percent("ssim")


def test_prefixes_of_ideal_length_are_those_that_are_decoded(prefixel, pictures) -> None:
    values = prefixel.values(pictures, "default").astype(np.float32)
    ideal = shown(prefixel, Truncator(prefixel.stored), values, np.tile([30.0, 94.0], (6, 1)))
    streams = [e.stream for e in prefixel.encode(pictures, [1.0] * len(pictures))]
    real = prefixel.paint_cuts(streams, np.tile([32, 96], (6, 1)))
    assert ideal.shape == real.shape
    for k in range(2):
        worth = [psnr(pictures, some[:, k]).mean() for some in (ideal, real)]
        assert worth[0] == pytest.approx(worth[1], abs=0.15)


def test_one_plane_for_all_is_a_quantiser_of_one_step(prefixel: EmbeddedCodec, pictures) -> None:
    """All coefficients are known to the plane, and its bits are those of its symbols."""
    plane = 4
    truncator = Truncator(prefixel.stored)
    truncator.tables = embedding_cost.down_to(prefixel.tables, plane)
    values = embedding_cost.unrounded(prefixel, pictures)
    found = shown(prefixel, truncator, values, np.full((6, 1), embedding_cost.EVERYTHING))[:, 0]
    whole = whole_steps(values)
    tops = prefixel.tables.tops
    planes = np.where(tops >= plane, plane, tops + 1)  # nothing is known of those that begin below
    cells = np.sign(whole) * (np.abs(whole) >> planes) * (tops >= plane)
    known = Known(cells.astype(np.int16), np.tile(planes, (len(cells), 1)).astype(np.int8))
    painted = closed_form(prefixel.dequantiser, known)
    expected = to_rgb(prefixel.synthesised(painted, precision(known)))
    assert np.abs(found.astype(int) - expected).max() <= 1
    by_plane = embedding_cost.cost_of_digits(prefixel, pictures)
    bits = [sum(ideal_bits(truncator.tables, one)) for one in whole]
    length = np.mean(bits) / 8 + embedding_cost.END_BITS / 8 + 2
    assert by_plane[plane].length == pytest.approx(length, abs=0.01)
    lengths = [one.length for one in by_plane.values()]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) >= 2


def test_a_search_for_one_length_is_better_there(prefixel: EmbeddedCodec, pictures) -> None:
    found = embedding_cost.cost_of_searching_for_all(prefixel, pictures, rounds=12)
    assert [round(one.length) for one in found] == list(embedding_cost.LENGTHS)
    for one in found:
        assert one.shorter.psnr < one.embedded.psnr < one.longer.psnr
    percent = [one.percent(measure) for one in found for measure in ("ssim", "psnr")]
    assert np.mean(percent) > 0
    assert max(map(abs, percent)) < 40
    text = embedding_cost.report(4, 12, found, embedding_cost.cost_of_digits(prefixel, pictures))
    assert f"| 64 | {found[0].embedded} | {found[0].alone} | {percent[0]:+.1f} % |" in text
