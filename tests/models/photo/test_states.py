"""What networks are trained on is what decoders of the service know, paint and pay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.photo import wavelet
from models.photo.coding import Coding
from models.photo.lengths import cut_at, integers
from models.photo.networks import SHAPES, Networks, from_cells, to_cells
from models.photo.states import States
from models.photo.training import ORDER
from service.codec.photo import tables, transform
from service.codec.photo import wavelet as lifting
from service.codec.photo.order import BLOCK, COLUMNS, END, FIRST, ROWS
from service.codec.photo.parse import Parse
from service.codec.photo.tables import Stored, Tables
from service.codec.photo.writer import Writer
from tests.models.photo.conftest import SIDE, Pixels


@pytest.fixture(scope="module")
def coding(stored: Stored) -> Coding:
    return Coding(States(stored, ORDER, SIDE))


def test_the_wavelet_is_that_of_the_service() -> None:
    plane = np.random.default_rng(0).normal(0, 50, (96, 128)).astype(np.float32)
    low, details = wavelet.decompose(torch.from_numpy(plane)[None, None], 2)
    lifted = plane.copy()
    lifting.forward(lifted)
    for part, found in zip(
        (lifted[::2, 1::2], lifted[1::2, ::2], lifted[1::2, 1::2]), details[0][0, 0], strict=True
    ):
        np.testing.assert_allclose(found.numpy(), part, atol=1e-3)
    again = np.ascontiguousarray(lifted[::2, ::2])
    lifting.forward(again)
    np.testing.assert_allclose(low[0, 0].numpy(), again[::2, ::2], atol=1e-3)
    np.testing.assert_allclose(wavelet.compose(low, details)[0, 0].numpy(), plane, atol=1e-3)


def test_a_side_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="6x7"):
        wavelet.decompose(torch.zeros(1, 3, 7, 6), 1)


def test_integers_are_those_of_the_service(coding: Coding, pictures: list[Pixels]) -> None:
    found = integers(coding.analysed(_batch(pictures[:1]), None), coding.states, 0)
    expected = _quantised(coding, pictures[0])
    apart = np.abs(found - expected)
    assert apart.max() <= 1  # floats that lie on a border
    assert (apart > 0).mean() < 1e-4


@pytest.mark.parametrize("bpp", [0.08, 0.3, 0.9, 2.0])
def test_states_are_what_a_parser_knows_at_that_cut(
    coding: Coding, stored: Stored, pictures: list[Pixels], bpp: float
) -> None:
    coded = coding.analysed(_batch(pictures[3:4]), None)
    states = coding.states
    grid = states.grid
    parse = _parse(coding, stored, integers(coded, states, 0))
    parse.advance(int(bpp * SIDE**2 / 8))
    cut, (channel_cut, band_cut, top, left) = _decided(parse)
    shown = coding.shown(coded, states.planes([cut]))
    in_steps = states.steps._replace(sizes=np.ones_like(states.steps.sizes))
    compared = 0
    for channel, number in np.ndindex(3, len(grid.bands)):
        band = grid.bands[number].tolist()
        expected = np.empty((band[ROWS], band[COLUMNS]), np.float32)
        known = (part[grid.of(channel)] for part in (parse.known, parse.negative))
        transform._fill(expected, *known, in_steps, channel, number, band)
        level, orient = states.levels - 1 - (number - 1) // 3, (number - 1) % 3
        part = shown.details[level][0, channel, orient] if number else shown.low[0, channel, 0]
        found = part.numpy().copy()
        if (channel, number) == (channel_cut, band_cut):  # the cut lies within a block
            inside = np.s_[top : top + BLOCK, left : left + BLOCK]
            found[inside], expected[inside] = 0, 0
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        compared += np.count_nonzero(expected)
    assert compared > 100


def test_the_closed_form_paints_as_the_service_does(
    coding: Coding, stored: Stored, pictures: list[Pixels]
) -> None:
    coded = coding.analysed(_batch(pictures[4:5]), None)
    parse = _parse(coding, stored, integers(coded, coding.states, 0))
    parse.advance(SIDE**2 // 16)
    cut, _ = _decided(parse)
    planes = coding.states.planes([cut])
    found = coding.painted(coding.shown(coded, planes), planes, None)
    grid, steps = coding.states.grid, coding.states.steps
    synthesised = [
        transform.synthesise(
            parse.known[grid.of(c)], parse.negative[grid.of(c)], grid, steps, c, (SIDE, SIDE)
        )
        for c in range(3)
    ]
    expected = transform.to_rgb(synthesised, steps, 1).astype(np.float32)
    apart = np.abs(found[0].permute(1, 2, 0).clamp(0, 255).numpy() - expected)
    assert np.quantile(apart, 0.98) <= 0.51  # but for the block that the cut lies in


def test_untrained_networks_are_the_closed_form(coding: Coding, pictures: list[Pixels]) -> None:
    networks = Networks(SHAPES["tiny"])
    photo = _batch(pictures[:2])
    planes = coding.states.planes([(500, 0.5), (800, 0.2)])
    with torch.no_grad():
        both = [
            coding.painted(coding.shown(coding.analysed(photo, n), planes), planes, n)
            for n in (None, networks)
        ]
    assert float((both[0] - both[1]).abs().max()) < 0.02


def test_cells_hold_every_coefficient_once() -> None:
    cells = torch.arange(2.0 * 192 * 3 * 4).reshape(2, 192, 3, 4)
    low, details = from_cells(cells)
    assert [tuple(part.shape) for part in details] == [
        (2, 3, 3, 12, 16),
        (2, 3, 3, 6, 8),
        (2, 3, 3, 3, 4),
    ]
    torch.testing.assert_close(to_cells(low, details), cells)


def test_a_budget_buys_whole_passes_and_a_share() -> None:
    bits = np.array([10.0, 0.0, 30.0])
    assert cut_at(bits, 5) == (0, 0.5)
    assert cut_at(bits, 25) == (2, 0.5)
    assert cut_at(bits, 99) == (3, 0.0)


def _batch(pictures: list[Pixels]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def _quantised(coding: Coding, picture: Pixels) -> NDArray[np.int32]:
    grid, steps = coding.states.grid, coding.states.steps
    values = np.zeros(3 * grid.coefficients, np.int32)
    for channel in range(3):
        transform.analyse(picture, grid, steps, channel, values[grid.of(channel)])
    return values


def _parse(coding: Coding, stored: Stored, values: NDArray[np.int32]) -> Parse:
    """A parser of the whole stream of ``values``."""
    grid, own = (
        coding.states.grid,
        Tables(stored, tables.fixed_of(stored), tables.models_of(stored)),
    )
    stream = Writer(grid, grid.passes, own, values, b"", SIDE**2).whole()
    return Parse(grid, tables.fresh(own.models), own.fixed, stream, 0)


def _decided(parse: Parse) -> tuple[tuple[int, float], tuple[int, int, int, int]]:
    """Passes done and the share of the next one's blocks; channel, band, top, left of that one."""
    passes_done, _, block = (int(n) for n in parse._state[4:7])
    channel, band = parse.grid.passes[passes_done, :2].tolist()
    first, end = parse.grid.bands[band, [FIRST, END]].tolist()
    block = max(block, first)
    share = (block - first + 1e-9) / (end - first)
    return (passes_done, share), (channel, band, *parse.grid.blocks[block].tolist())
