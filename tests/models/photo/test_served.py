"""What is served of the networks beside torch: the same numbers, whatever the size and the cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.photo import stages
from models.photo.coding import Coding, told
from models.photo.networks import CELL, SHAPES, Networks, from_cells, to_cells
from models.photo.states import States
from service.codec import artifact
from service.codec.photo import encoder, networks, painter, transform
from service.codec.photo.cells import LEVELS, Split
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.networks import CellNetwork
from service.codec.photo.order import END, FIRST
from service.codec.photo.precision import Place, begins, precision_of, told_of, units_of
from service.codec.photo.threads import Threads
from service.codec.photo.transform import DETAILS
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import mosaic

FOLDER = packaged_artifacts() / "photo"
SIZES = [(64, 64), (192, 128), (97, 131), (300, 75)]
"""Height and width; all but the first two end within a cell."""
CUTS_BPP = (0.02, 0.05, 0.09, 0.14, 0.2, 0.3, 0.45, 0.6, 0.8, 1.1, 1.5, 2.0)


@pytest.fixture(scope="module")
def codec() -> PhotoCodec:
    return PhotoCodec(artifact.read(FOLDER), Runtime("cpu", 2))


@pytest.fixture(scope="module")
def trained() -> Networks:
    model = Networks(SHAPES["full"])
    model.load_state_dict(stages.read(FOLDER))
    return model.eval()


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_every_cut_paints_as_torch_does(
    codec: PhotoCodec, trained: Networks, size: tuple[int, int]
) -> None:
    picture = mosaic(512)[: size[0], 40 : 40 + size[1]]
    stream = codec.stream(picture, networks=True)
    parse, steps, own = codec.parse(stream)
    compared = 0
    for bpp in CUTS_BPP:
        parse.advance(int(bpp * own.pixels / 8))
        split = painter.split_of(parse, steps, own, Threads(1))
        known = precision_of(parse.grid, parse.place)
        if begins(known, parse.grid, codec.network("synthesis").first_plane):
            expected = _painted(trained, split, parse.grid, steps, parse.place)
            compared += 1
        else:
            expected = codec.painted(parse, steps._replace(networks=False), own).astype(int)
        assert np.abs(codec.painted(parse, steps, own).astype(int) - expected).max() <= 1
    assert compared >= 8


@pytest.mark.parametrize("order", [0, 2])
def test_precision_is_that_of_training(codec: PhotoCodec, order: int) -> None:
    """At any block of any pass: what is told, and what each coefficient is counted in."""
    states = States(codec.tables(True).stored, order, 128)
    grid, steps = states.grid, states.steps
    draw = np.random.default_rng(order)
    kinds = set()
    for passes in [*draw.integers(0, len(grid.passes), 60).tolist(), len(grid.passes)]:
        first, end = 0, 0
        if passes < len(grid.passes):
            first, end = grid.bands[grid.passes[passes, 1], [FIRST, END]].tolist()
            kinds.add(int(grid.passes[passes, 3]))
        done = int(draw.integers(0, max(1, end - first)))
        planes = states.planes([(passes, (done + 1e-9) / max(1, end - first))])
        known = precision_of(grid, Place(passes, first + done))
        np.testing.assert_allclose(told_of(known, grid), told(planes).numpy(), atol=1e-6)
        units = units_of(known, grid, steps)
        low = torch.exp2(planes[LEVELS][..., 0].float()).mean((2, 3, 4)) * states.low_step[:, 0, 0]
        np.testing.assert_allclose(units.low, low[0].numpy(), rtol=1e-5)
        for channel, level, orient in np.ndindex(3, LEVELS, 3):
            expected = torch.exp2(planes[level][0, channel, orient, ..., 0].float())
            expected = expected * states.detail_steps[level][channel, orient]
            found = np.full(expected.shape, units.fine[channel, level, orient, 0])
            if units.band == (channel, level, orient):
                rows, columns = (np.arange(n) // 8 for n in expected.shape)
                visited = units.visited[rows][:, columns]
                found = units.fine[channel, level, orient][visited]
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6)
    assert kinds == {0, 1}


@torch.no_grad()
def test_the_encoder_codes_what_torch_would(codec: PhotoCodec, trained: Networks) -> None:
    picture = mosaic(512)[:192, 60:252]
    coding = Coding(States(codec.tables(True).stored, 0, 192))
    expected = coding.analysed(_batch(picture), trained)
    grid, steps = coding.states.grid, coding.states.steps
    split = encoder.analysed(picture, grid, steps, Threads(2), codec.network("analysis"))
    low, details = _tensors(split)
    for level, detail in enumerate(details):
        found = detail / coding.states.detail_steps[level]
        torch.testing.assert_close(found, expected.details[level], atol=2e-3, rtol=1e-4)
    assert low.shape == (1, 3, 24, 24)


@pytest.mark.parametrize("role", ["analysis", "synthesis"])
def test_tiles_have_no_seams(codec: PhotoCodec, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As small as they come, or all cells at once."""
    picture = mosaic(512)[:203, :391]
    _, steps, size = codec.parse(codec.stream(picture, networks=True)[:20])
    grid = codec.geometry(size, 0, True)[0]
    found = []
    for tile in ((5, 7), (1000, 1000)):
        monkeypatch.setattr(networks, "TILE", tile)
        network = CellNetwork(artifact.read(FOLDER), Runtime("cpu", 1), role)
        split = encoder.analysed(picture, grid, steps, Threads(1), codec.network("analysis"))
        said = np.full((1, network.told), 0.3, np.float32) if network.told else None
        network.run(split, encoder.steps_as_units(grid, steps), Threads(2), said)
        found.append(split)
    small, large = found
    for one, other in zip(_planes(small), _planes(large), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-5)


@torch.no_grad()
def test_a_picture_is_that_of_training(codec: PhotoCodec, trained: Networks) -> None:
    """The whole way of both; but for the block in which the parse stopped."""
    picture = mosaic(512)[100:292, 60:252]
    coding = Coding(States(codec.tables(True).stored, 0, 192))
    coded = coding.analysed(_batch(picture), trained)
    parse, steps, own = codec.parse(codec.stream(picture, networks=True))
    for bpp in CUTS_BPP[2:]:
        parse.advance(int(bpp * own.pixels / 8))
        passes, block = parse.place
        first, end = 0, 1
        if passes < len(parse.grid.passes):
            first, end = parse.grid.bands[parse.grid.passes[passes, 1], [FIRST, END]].tolist()
        planes = coding.states.planes([(passes, (max(block - first, 0) + 1e-9) / (end - first))])
        expected = coding.painted(coding.shown(coded, planes), planes, trained)
        expected = expected[0].permute(1, 2, 0).clamp(0, 255).numpy()
        apart = np.abs(codec.painted(parse, steps, own) - expected)
        assert np.quantile(apart, 0.95) <= 1


def _planes(split: Split) -> list[NDArray[np.float32]]:
    return [*split.low, *(level for fine in split.fine for level in fine)]


def _painted(
    trained: Networks, split: Split, grid: object, steps: transform.Steps, place: Place
) -> NDArray[np.int64]:
    """Pixels by torch, over all cells at once; what is beyond the picture is zero."""
    known = precision_of(grid, place)  # type: ignore[arg-type]
    units = units_of(known, grid, steps)  # type: ignore[arg-type]
    counted = Split(
        [low / unit for low, unit in zip(split.low, units.low, strict=True)],
        [[level.copy() for level in fine] for fine in split.fine],
    )
    maps = []
    for channel, level in np.ndindex(3, LEVELS):
        for orient, (down, right) in enumerate(DETAILS):
            part = counted.fine[channel][level][down::2, right::2]
            unit = np.full(part.shape, units.fine[channel, level, orient, 0])
            if units.band == (channel, level, orient):
                rows, columns = (np.arange(n) // 8 for n in part.shape)
                unit = units.fine[channel, level, orient][units.visited[rows][:, columns]]
            part /= unit
            maps.append(unit)
    low, details = _tensors(counted)
    cells = to_cells(low, details)
    found, fine = from_cells(trained.known(cells, torch.from_numpy(told_of(known, grid))))  # type: ignore[arg-type]
    planes = []
    for channel in range(3):
        plane = found[0, channel].numpy() * units.low[channel]
        for level in range(LEVELS - 1, -1, -1):
            interleaved = split.fine[channel][level].copy()
            for orient, (down, right) in enumerate(DETAILS):
                part = interleaved[down::2, right::2]
                unit = maps[(channel * LEVELS + level) * 3 + orient]
                high, wide = part.shape
                part[:] = fine[level][0, channel, orient, :high, :wide].numpy() * unit
            plane = transform.joined(plane, interleaved)
        planes.append(plane)
    return transform.to_rgb(planes, steps).astype(int)


def _tensors(split: Split) -> tuple[Tensor, list[Tensor]]:
    """The low-pass picture and details, filled up with zeros to whole cells."""
    rows, columns = split.low[0].shape
    details = []
    for level in range(LEVELS):
        side = CELL >> level + 1
        parts = [
            [_filled(fine[level][y::2, x::2], rows * side, columns * side) for y, x in DETAILS]
            for fine in split.fine
        ]
        details.append(torch.stack([torch.stack(part) for part in parts])[None])
    return torch.from_numpy(np.stack(split.low))[None], details


def _filled(part: NDArray[np.float32], rows: int, columns: int) -> Tensor:
    high, wide = part.shape
    return functional.pad(torch.from_numpy(part.copy()), (0, columns - wide, 0, rows - high))


def _batch(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture))[None].permute(0, 3, 1, 2).float()
