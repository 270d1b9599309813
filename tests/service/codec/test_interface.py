"""What every codec keeps to: cuts are prefixes, levels are their worth, headers are cheap."""

from __future__ import annotations

import numpy as np
import pytest

from service.codec.geometry import THUMB, Size
from service.codec.header import parse_header
from service.codec.interface import Encoded, measured
from service.errors import CodecError
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from tests.support.codec import GreyCodec, RawPhotoCodec
from tests.support.photos import crops

SHAPES = ((40, 24), (17, 64), (33, 33))
CODECS = ("prefixel", "conv-lstm", "fc-lstm", "assigned", "grey", "raw-photo")


@pytest.fixture(params=CODECS)
def case(request):
    """A codec, pictures for it, their streams."""
    name = request.param
    loaded = {"grey": GreyCodec, "raw-photo": RawPhotoCodec}
    fixture = {"assigned": "fc-lstm"}.get(name, name).replace("-", "_")
    codec = loaded[name]() if name in loaded else request.getfixturevalue(fixture)
    sizes = SHAPES if codec.kind == "photo" else [(32, 32)] * 3
    shrunk = zip(crops(3, seed=7), sizes, strict=True)
    pictures = [np.asarray(crop.resize(size)) for crop, size in shrunk]
    aspects = [1.0, 1.5, 0.5]
    writer = codec.assigned if name == "assigned" else codec
    return codec, pictures, [one.stream for one in writer.encode(pictures, aspects)]


def test_cuts_are_the_prefixes(case):
    codec, _, streams = case
    for stream in streams:
        shortest = codec.minimum_bytes
        cuts = [shortest, shortest, shortest + 1, shortest + 17, len(stream), len(stream) + 9]
        prefixes = codec.decode([stream[:cut] for cut in cuts])
        for shown, expected in zip(codec.decode_cuts(stream, cuts), prefixes, strict=True):
            assert shown.shape == expected.shape
            assert shown.dtype == np.uint8
            assert np.abs(shown.astype(int) - expected).max() <= 1
        assert list(codec.decode_cuts(stream, [])) == []


def test_levels_are_what_the_prefixes_are_worth(case):
    codec, pictures, streams = case
    found = codec.measure(pictures, streams)
    for picture, stream, levels in zip(pictures, streams, found, strict=True):
        ends = [level.bytes for level in levels]
        assert ends == sorted(set(ends))
        assert ends[-1] == len(stream)
        if isinstance(codec, GreyCodec):
            continue  # what they are worth is made up
        for level in levels[:: max(1, len(levels) // 3)]:
            [shown] = codec.decode([stream[: level.bytes]])
            pair = picture[None], shown[None]
            assert psnr(*pair)[0] == pytest.approx(level.psnr, abs=0.05)
            assert block_ssim(*pair)[0] == pytest.approx(level.ssim, abs=2e-3)


def test_only_what_was_not_measured_is(case):
    codec, pictures, streams = case
    known = codec.measure(pictures[:1], streams[:1])[0][:1]
    made = [Encoded(streams[0], known), *map(Encoded, streams[1:])]
    found = measured(codec, pictures, made)
    assert [one.stream for one in found] == streams
    assert found[0].levels == known
    assert [one.levels for one in found[1:]] == codec.measure(pictures[1:], streams[1:])


def test_a_header_tells_the_shape(case):
    codec, pictures, streams = case
    for picture, stream in zip(pictures, streams, strict=True):
        for length in (codec.minimum_bytes, len(stream)):
            header = codec.header(stream[:length])
            assert header.version in codec.readable_versions
            assert header.length_bytes <= codec.minimum_bytes
            if codec.kind == "photo":
                assert header.size == Size.of(picture)
            else:
                assert (header.size, header.aspect) == (None, parse_header(stream).aspect)
                assert codec.picture_size == 32


def test_a_header_refuses_what_decoding_refuses(case):
    codec, _, streams = case
    stream = streams[0]
    unknown = next(n for n in range(8) if n not in codec.readable_versions)
    other_version = bytes((stream[0] & 0xF8 | unknown, *stream[1:]))
    other_codec = bytes((stream[0] ^ 0x80, *stream[1:]))
    reserved = bytes((stream[0], stream[1] | 1, *stream[2:]))
    too_long = stream + bytes(300) if codec.kind == "thumb" else stream[:5]
    for wrong in (b"", stream[:1], other_version, other_codec, reserved, too_long):
        for read in (codec.header, codec.inspect, lambda one: codec.decode([one])):
            with pytest.raises(CodecError):
                read(wrong)


def test_costs_grow_with_pixels_and_bytes(case):
    codec, _, _ = case
    assert codec.cost(THUMB) >= 1
    assert codec.cost(Size(64, 64)) >= 3.9 * codec.cost(THUMB)
    short, long = (codec.cost(THUMB, length) for length in (codec.minimum_bytes, 200))
    assert 1 <= short <= long


def test_an_effort_is_one_of_its_own(case):
    codec, pictures, _ = case
    assert codec.effort in codec.efforts
    for effort in codec.efforts[:2]:
        assert len(codec.encode(pictures, [1.0] * 3, effort)) == 3


def test_a_size_that_is_wanted_is_what_a_photo_has_at_least():
    codec = RawPhotoCodec()
    picture = np.asarray(crops(1, seed=3)[0].resize((100, 60)))
    [one] = codec.encode([picture], [1.0])
    for size in (1, 7, 25, 50, 99, 100, 4096):
        [shown] = codec.decode([one.stream], size)
        assert min(100, size) <= max(shown.shape) <= 100
    np.testing.assert_array_equal(codec.decode([one.stream])[0], picture)
