"""Coefficients chosen through the synthesis network: what an effort may and may not change."""

from __future__ import annotations

import numpy as np
import pytest

from service.codec.geometry import Size
from service.codec.photo import encoder, search, wavelet
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.left import truncated
from service.codec.photo.precision import precision_of
from service.codec.photo.threads import Threads
from service.codec.pixels import Pixels
from service.codec.registry import Encoding, load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import free_photos, mosaic


@pytest.fixture(scope="module")
def picture() -> Pixels:
    photo = next(one for one in free_photos().values() if min(one.shape[:2]) > 300)
    return np.ascontiguousarray(photo[40:233, 30:241])


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "ROUNDS", {"high": 3, "best": 5})


def losses(photo: PhotoCodec, picture: Pixels, stream: bytes) -> float:
    """Sum of log(D) at equal bytes."""
    found = 0.0
    target = picture.transpose(2, 0, 1).astype(np.float32)
    cuts = [int(bpp * picture[..., 0].size / 8) for bpp in search.CUTS_BPP]
    for shown in photo.decode_cuts(stream, cuts):
        planes = shown.transpose(2, 0, 1).astype(np.float32)
        found += np.log(photo._search._distortion(target, planes)[0])
    return found


@pytest.mark.usefixtures("few_rounds")
def test_more_effort_is_a_better_stream_that_any_decoder_reads(
    photo: PhotoCodec, picture: Pixels
) -> None:
    streams = [photo.stream(picture, networks=True, effort=effort) for effort in photo.efforts]
    assert len(set(streams)) == 3
    default, high, best = (losses(photo, picture, stream) for stream in streams)
    assert max(high, best) < default - 0.003
    again = photo.stream(picture, networks=True, effort="best")
    assert again == streams[2]


@pytest.mark.usefixtures("few_rounds")
def test_an_encoder_has_the_effort_that_it_is_given(picture: Pixels) -> None:
    made = load_newest(
        packaged_artifacts(), ["photo"], Runtime("cpu", 1), Encoding(photo_effort="high")
    )
    codec = made["photo"]
    assert codec.effort == "high"
    plain = codec.encode([picture], [1.0], "default")[0].stream
    assert codec.encode([picture], [1.0])[0].stream != plain
    size = Size.of(picture)
    default = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 1))["photo"]
    assert codec.cost(size) > default.cost(size)
    assert codec.memory(size) > default.memory(size)


def test_no_other_effort(photo: PhotoCodec, picture: Pixels) -> None:
    with pytest.raises(ValueError, match="no effort 'worst'"):
        photo.stream(picture, effort="worst")  # type: ignore[arg-type]


def test_a_small_picture_is_as_without(photo: PhotoCodec) -> None:
    small = mosaic(512)[:160, :300]
    best = photo.stream(small, networks=True, effort="best")
    assert best == photo.stream(small, networks=True)


def test_slopes_do_not_depend_on_where_tiles_end(
    photo: PhotoCodec, picture: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, steps = photo.geometry(Size.of(picture), 0, True)
    alone = Threads(1)
    split = encoder.analysed(picture, grid, steps, alone, photo.network("analysis"))
    aim = search.Aim(grid, steps, photo.tables(True), 0)
    cut = photo._search._cuts(split, aim, alone)[1]
    target = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
    whole = photo._search._judged(target, split, cut, aim)[1]
    monkeypatch.setattr(search, "TILE", (7, 9))
    tiled = photo._search._judged(target, split, cut, aim)[1]
    for mine, theirs in zip(whole, tiled, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(one).max())


def test_truncated_integers_are_what_a_parse_decides(photo: PhotoCodec, picture: Pixels) -> None:
    stream = photo.stream(picture, networks=True)
    parse, _, _ = photo.parse(stream)
    parse.advance(len(stream))
    sizes, signs = parse.known >> 1, np.where(parse.negative > 0, -1, 1)
    again, _, _ = photo.parse(stream)
    again.advance(len(stream) // 3)
    place = again.place._replace(block=0)
    first, _, _ = photo.parse(stream)
    done = 0
    while first.passes_done < place.passes:  # up to where that pass begins
        done += 1
        first.advance(done)
    known, negative = truncated(sizes * signs, precision_of(parse.grid, place).planes, parse.grid)
    # some of the next pass may be there already
    channel, band, _, _ = parse.grid.passes[first.passes_done]
    row = parse.grid.bands[band]
    start = channel * parse.grid.coefficients + row[2]
    part = slice(start, start + row[3] * (row[4] + 4))
    known[part] = first.known[part]
    np.testing.assert_array_equal(known, first.known)
    found = known != 0
    np.testing.assert_array_equal(negative[found], first.negative[found])


@pytest.mark.parametrize("shape", [(64, 48), (63, 49), (2, 5), (1, 7)])
def test_the_wavelet_has_its_transpose(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    x, slope = (draw.standard_normal(shape, np.float32) for _ in range(2))
    back = wavelet.transposed(slope)
    painted = x.copy()
    wavelet.inverse(painted)
    assert (painted * slope).sum() == pytest.approx((x * back).sum(), rel=1e-3, abs=1e-3)
