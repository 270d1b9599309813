"""Version 2: which photos get networks, what lower resolutions and levels are, what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.codec import artifact
from service.codec.geometry import Size
from service.codec.photo import choice, levels, painter, transform
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.networks import TILE
from service.codec.photo.threads import Threads
from service.codec.pixels import Pixels
from service.errors import ArtifactError
from service.evaluation.data.drawn_photos import KINDS
from service.inference import Runtime
from service.quality.psnr import psnr
from service.settings import packaged_artifacts
from tests.support.photos import free_photos, mosaic

FOLDER = packaged_artifacts() / "photo"


@pytest.fixture(scope="module")
def large() -> Pixels:
    return mosaic(1024)[:700, :820]


@pytest.fixture(scope="module")
def stream(photo: PhotoCodec, large: Pixels) -> bytes:
    return photo.stream(large, networks=True)


def quality(picture: Pixels, shown: Pixels) -> float:
    return float(psnr(picture[None], shown[None])[0])


def test_a_header_says_whether_there_are_networks(photo: PhotoCodec, large: Pixels) -> None:
    for networks in (False, True):
        made = photo.stream(large[:100, :90], networks=networks)
        assert photo.inspect(made).facts["networks"] is networks
        assert bool(made[2] & 32) is networks


@pytest.mark.parametrize("size", [(63, 400), (1, 1), (9, 9)])
def test_a_small_picture_is_in_closed_form(photo: PhotoCodec, size: tuple[int, int]) -> None:
    picture = mosaic(512)[: size[0], : size[1]]
    assert photo.inspect(photo.stream(picture)).facts["networks"] is False
    with pytest.raises(ValueError, match="64 pixels or more"):
        photo.stream(picture, networks=True)


def test_noise_is_in_closed_form(photo: PhotoCodec) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert photo.inspect(photo.stream(noise)).facts["networks"] is False


def test_a_screenshot_is_in_closed_form_which_is_better_for_it(photo: PhotoCodec) -> None:
    shot = KINDS["screenshots"](np.random.default_rng(1), 0)
    made = photo.stream(shot)
    forms = [photo.stream(shot, networks=networks) for networks in (False, True)]
    assert made == forms[0]
    assert not choice.networks_are_better(shot, lambda n, _: forms[n], photo.decode_cuts)
    closed, networks = (quality(shot, photo.decode([form[:12_000]])[0]) for form in forms)
    assert closed > networks


@pytest.mark.parametrize("better", [False, True])
def test_the_choice_is_by_what_cuts_show(better: bool) -> None:
    picture = mosaic(512)[:200, :200]

    def decode(made: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        error = 4 if made == b"True" else 8 if better else 3
        return (np.clip(picture.astype(int) + error, 0, 255).astype(np.uint8) for _ in cuts)

    found = choice.networks_are_better(picture, lambda n, _: str(n).encode(), decode)
    assert found is better


def test_a_sample_is_of_the_whole_picture() -> None:
    y, x = np.indices((900, 2000))
    sample = choice.sample_of(np.stack((x >> 3, y >> 2, x * 0), 2).astype(np.uint8))
    assert sample.shape == (288, 288, 3)
    assert sample[..., 0].min() < 45
    assert sample[..., 0].max() > 205
    assert choice.sample_of(sample[:100, :200]).shape == (100, 200, 3)


def test_none_are_made_where_a_setting_says_so(large: Pixels) -> None:
    codec = PhotoCodec(artifact.read(FOLDER), Runtime("cpu", 1), networks=False)
    assert codec.inspect(codec.stream(large[:128, :128])).facts["networks"] is False


def test_lower_resolutions_are_what_they_are_of(
    photo: PhotoCodec, large: Pixels, stream: bytes
) -> None:
    parse, steps, size = photo.parse(stream)
    parse.advance(len(stream))
    for splits in range(4):
        wanted = transform.low_pass(large, steps, splits)
        with_network = photo.painted(parse, steps, size, splits)
        without = photo.painted(parse, steps._replace(networks=False), size, splits)
        assert quality(wanted, with_network) > 36 + 2 * splits
        if splits > painter.CORRECTED_SPLITS:
            assert (with_network == without).all()
        else:
            assert quality(wanted, with_network) > quality(wanted, without) + 0.5


def test_levels_of_a_large_photo_are_near_what_is_shown(photo: PhotoCodec) -> None:
    china = Image.fromarray(free_photos()["china"])
    large = np.asarray(china.resize((1060, 707), Image.Resampling.BICUBIC))
    stream = photo.stream(large, networks=True)
    assert large[..., 0].size > levels.LARGE_PIXELS
    [written], [read] = photo.encode([large], [1.0]), photo.measure([large], [stream])
    assert written.stream == stream
    assert written.levels is not None
    parse, steps, size = photo.parse(stream)
    splits = levels.splits_of(size)
    found = sorted((*read, *written.levels), key=lambda one: one.bytes)
    wanted = transform.low_pass(large, steps, splits)
    for one in found[::5]:
        parse.advance(one.bytes)
        exact = levels.level(one.bytes, wanted, photo.painted(parse, steps, size, splits))
        assert one.psnr == pytest.approx(exact.psnr, abs=0.8)
        assert one.ssim == pytest.approx(exact.ssim, abs=0.03)
        assert one.msssim == pytest.approx(exact.msssim, abs=0.02)


def test_a_prefix_of_which_little_is_known_is_painted_without(
    photo: PhotoCodec, large: Pixels, stream: bytes
) -> None:
    """There the network would make it worse; where it begins it changes little."""
    parse, steps, size = photo.parse(stream)
    plain = steps._replace(networks=False)
    begun = []
    for cut in np.geomspace(60, 12_000, 20).astype(int).tolist():
        parse.advance(cut)
        with_network, without = (photo.painted(parse, one, size) for one in (steps, plain))
        begun.append(not (with_network == without).all())
        assert quality(large, with_network) > quality(large, without) - 0.06
    assert begun == sorted(begun)
    assert begun[0] != begun[-1]


def test_a_part_of_the_cells_is_corrected_as_all_are(photo: PhotoCodec, stream: bytes) -> None:
    parse, steps, size = photo.parse(stream)
    parse.advance(40_000)
    for splits in range(painter.CORRECTED_SPLITS + 1):
        part = levels.part_of(size, splits)
        args = parse, steps, size, splits, Threads(2), photo.network("synthesis")
        whole, some = painter.painted(*args), painter.part_painted(*args, part.corrected)
        apart = np.abs(part.of(whole).astype(int) - part.inner(some))
        assert apart.mean() < 0.1
        assert apart.max() <= 1
        assert some.size < whole.size


def test_decoding_a_lower_resolution_costs_what_the_network_does(photo: PhotoCodec) -> None:
    own = Size(4096, 4096)
    whole = photo.cost(own, 100)
    assert whole > 2e9  # nanoseconds
    assert photo.cost(own.within(2048), 100, own) > whole / 2
    assert photo.cost(own.within(1024), 100, own) < whole / 20  # painted without


@pytest.mark.parametrize("damage", ["stages", "closed_form", "swapped"])
def test_damaged_artifacts_are_refused(tmp_path: Path, damage: str) -> None:
    manifest = json.loads((FOLDER / artifact.MANIFEST).read_text())
    for path in FOLDER.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / artifact.MANIFEST).unlink()
    graphs = manifest["graphs"]
    if damage == "stages":
        manifest["graphs"] = {n: g for n, g in graphs.items() if "synthesis" not in n}
    elif damage == "closed_form":
        manifest["closed_form"] = None
    else:
        graphs["synthesis-0"], graphs["synthesis-5"] = graphs["synthesis-5"], graphs["synthesis-0"]
    (tmp_path / artifact.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError):
        PhotoCodec(artifact.read(tmp_path), Runtime("cpu", 1))


@pytest.mark.parametrize("tile", [(1000, 1000), (5, 7)])
def test_there_are_no_seams_between_tiles(
    photo: PhotoCodec, stream: bytes, tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cells at once, or tiles far smaller than those of the codec: the same picture."""
    parse, steps, size = photo.parse(stream)
    assert size.width // 8 > TILE[1]
    for cut in (6_000, 60_000):
        parse.advance(cut)
        tiled = photo.painted(parse, steps, size)
        with monkeypatch.context() as patch:
            patch.setattr(photo.network("synthesis"), "_tile", tile)
            whole = photo.painted(parse, steps, size)
        assert np.abs(tiled.astype(int) - whole).max() <= 1
