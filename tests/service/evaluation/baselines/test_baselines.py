"""Baselines decode what they encode, and what is stripped is known without the picture."""

from __future__ import annotations

import numpy as np
import pytest

from service.errors import ConfigurationError
from service.evaluation.baselines import BASELINES, Parts, find_baselines
from service.evaluation.data.pictures import squash
from service.quality.psnr import psnr
from tests.support.photos import free_photos

pytest.importorskip("imagecodecs")
pytest.importorskip("skimage")
pytest.importorskip("blurhash")
pytest.importorskip("thumbhash")

FILES = [name for name, baseline in BASELINES.items() if not baseline.own_size]
PAIR = tuple(squash(free_photos()[name], 32) for name in ("coffee", "rocket"))


@pytest.mark.parametrize("name", BASELINES)
def test_the_parts_are_the_file_and_it_decodes(name: str) -> None:
    baseline = BASELINES[name]
    file = baseline.encode(PAIR[0], baseline.settings[-1])
    assert b"".join(baseline.split(file)) == file
    painted = baseline.decode(file, (32, 32))
    assert painted.shape == (32, 32, 3)
    assert painted.dtype == np.uint8
    assert baseline.version().split()[0]


@pytest.mark.parametrize("name", FILES)
def test_settings_ascend_from_coarse_to_fine(name: str) -> None:
    baseline = BASELINES[name]
    assert list(baseline.settings) == sorted(baseline.settings)
    picked = baseline.settings[:: len(baseline.settings) // 5]
    files = [baseline.encode(PAIR[0], setting) for setting in picked]
    sizes = [len(baseline.split(file).payload) for file in files]
    painted = np.stack([baseline.decode(file, (32, 32)) for file in files])
    scores = psnr(np.broadcast_to(PAIR[0], painted.shape), painted)
    assert sizes == sorted(sizes)
    assert (np.diff(scores) > -0.1).all()
    assert sizes[0] < 130 < 300 < sizes[-1]


def patched(name: str, head: bytes, payload: bytes, tail: bytes, own: Parts) -> bytes:
    """Another picture's header around a payload, its length fields made to fit."""
    data = bytearray(head + payload + tail)
    if name == "webp":
        data[4:8] = (len(data) - 8).to_bytes(4, "little")
        data[16:20] = (len(payload) + 10).to_bytes(4, "little")
        # The frame tag's last 19 bits are the length of the first partition.
        data[20:23] = own.head[20:23]
    elif name.startswith("jpeg2000"):
        tile = data.index(b"\xff\x90")
        data[tile + 6 : tile + 10] = bytes(4)  # a length of 0: up to the end
        box = data.index(b"jp2c") - 4
        data[box : box + 4] = bytes(4)
    elif name.startswith("avif"):
        units = len(head) - head.index(b"mdat") - 4 + len(payload)
        box = head.index(b"mdat") - 4
        data[box : box + 4] = (units + 8).to_bytes(4, "big")
        item = head.index(b"iloc") + 4 + 18  # one item, one extent, fields of 4 bytes
        data[item : item + 4] = units.to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("opt")])
def test_a_payload_decodes_behind_the_header_of_another_picture(name: str) -> None:
    """So what is stripped says nothing of the picture but lengths."""
    baseline = BASELINES[name]
    setting = baseline.settings[len(baseline.settings) // 2]
    file, other = (baseline.encode(rgb, setting) for rgb in PAIR)
    own, foreign = baseline.split(file), baseline.split(other)
    rebuilt = patched(name, foreign.head, own.payload, foreign.tail, own)
    expected = baseline.decode(file, (32, 32))
    np.testing.assert_array_equal(baseline.decode(rebuilt, (32, 32)), expected)
    assert not np.array_equal(expected, baseline.decode(other, (32, 32)))


@pytest.mark.parametrize("name", ["jpeg", "jpeg-444", "jpeg2000", "jpeg2000-3", "webp"])
def test_a_payload_begins_where_pictures_differ(name: str) -> None:
    baseline = BASELINES[name]
    payloads = [baseline.split(baseline.encode(rgb, baseline.settings[40])).payload for rgb in PAIR]
    assert payloads[0][:6] != payloads[1][:6]


@pytest.mark.parametrize("name", ["jpeg2000", "jpeg2000-3"])
def test_a_jpeg_2000_payload_is_what_the_tile_says_it_holds(name: str) -> None:
    """A tile part's length counts its header: SOT with its fields (12 bytes), SOD (2 bytes)."""
    head, payload, _ = BASELINES[name].split(BASELINES[name].encode(PAIR[0], 25.0))
    tile = head.index(b"\xff\x90")
    assert head[tile + 12 :] == b"\xff\x93"
    assert int.from_bytes(head[tile + 6 : tile + 10], "big") == 14 + len(payload)


def test_the_header_of_a_jpeg_xl_is_its_signature_size_and_metadata() -> None:
    """Signature; then small, height 4 times 8, ratio 1:1, default metadata, default transform."""
    bits = (1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1)
    packed = sum(bit << index for index, bit in enumerate(bits)).to_bytes(2, "little")
    baseline = BASELINES["jxl"]
    heads = {baseline.split(baseline.encode(rgb, 20.0)).head for rgb in PAIR}
    assert heads == {b"\xff\x0a" + packed}


def test_optimised_tables_are_the_picture_s_own_and_not_counted() -> None:
    plain, optimised = BASELINES["jpeg"], BASELINES["jpeg-opt"]
    heads = {optimised.split(optimised.encode(rgb, 50)).head for rgb in PAIR}
    assert len(heads) == 2
    assert "not counted" in optimised.stripped
    files = plain.encode(PAIR[0], 50), optimised.encode(PAIR[0], 50)
    np.testing.assert_array_equal(*(plain.decode(file, (32, 32)) for file in files))


def test_the_frame_unit_of_an_avif_is_what_its_sequence_header_leaves() -> None:
    file = BASELINES["avif"].encode(PAIR[0], 50)
    whole, frame = (BASELINES[name].split(file) for name in ("avif", "avif-frame"))
    assert whole.payload.endswith(frame.payload)
    assert len(whole.payload) - len(frame.payload) == 12
    assert frame.payload[0] >> 3 == 6  # a frame unit


@pytest.mark.parametrize("name", FILES)
def test_what_is_not_such_a_file_is_not_split(name: str) -> None:
    for garbage in (b"", b"\xff", b"no picture at all, but rather long" * 9):
        with pytest.raises(ValueError, match=r"not|damaged"):
            BASELINES[name].split(garbage)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_size_is_refused(name: str) -> None:
    baseline = BASELINES[name]
    file = baseline.encode(PAIR[0], baseline.settings[-1])
    with pytest.raises(ValueError, match="32"):
        baseline.decode(file, (24, 32))


@pytest.mark.parametrize("name", FILES)
def test_larger_pictures_that_are_not_square(name: str) -> None:
    baseline = BASELINES[name]
    wide = np.ascontiguousarray(np.kron(PAIR[0], np.ones((6, 7, 1), np.uint8)))
    file = baseline.encode(wide, baseline.settings[len(baseline.settings) // 2])
    assert b"".join(baseline.split(file)) == file
    assert baseline.decode(file, (192, 224)).shape == (192, 224, 3)


def test_placeholders_have_their_own_sizes() -> None:
    for name, sizes in (("blurhash", {28}), ("thumbhash", set(range(17, 26)))):
        baseline = BASELINES[name]
        assert {len(baseline.encode(rgb, 0)) for rgb in PAIR} <= sizes


def test_baselines_are_found_by_name() -> None:
    assert [one.name for one in find_baselines(["webp", "jpeg", "webp"])] == ["webp", "jpeg"]
    assert [one.name for one in find_baselines(["all"])] == list(BASELINES)
    with pytest.raises(ConfigurationError, match="'gif'"):
        find_baselines(["gif"])


def test_a_jpeg_of_noise_takes_over_a_byte_a_pixel_and_is_written() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (288, 288, 3), dtype=np.uint8)
    file = BASELINES["jpeg-444-opt"].encode(noise, 90)
    assert len(file) > noise[..., 0].size
    assert BASELINES["jpeg-444-opt"].decode(file, (288, 288)).shape == noise.shape
