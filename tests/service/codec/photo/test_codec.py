"""The codec of photos: any size, any cut, any bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.codec.geometry import Size
from service.codec.photo import levels, tables
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.encoder import GOOD_PSNR
from service.codec.photo.tables import ORDERS
from service.errors import ArtifactError, CodecError
from service.quality.psnr import psnr


def quality(picture: np.ndarray, shown: np.ndarray) -> float:
    return float(psnr(picture[None], shown[None])[0])


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 4096), (4096, 1), (7, 5), (8, 9), (2, 300), (161, 163)]
)
def test_any_size_goes_there_and_back(photo: PhotoCodec, size: tuple[int, int]) -> None:
    height, width = size
    y, x = np.indices((height, width))
    picture = np.stack((x * 7, y * 5, x + y), 2) * 2 % 512
    picture = np.abs(255 - picture).astype(np.uint8)  # waves, no jumps
    [encoded] = photo.encode([picture], [1.0])
    header = photo.header(encoded.stream)
    assert header.size == Size(width, height)
    for cut in range(header.length_bytes, min(len(encoded.stream), 40)):
        assert photo.decode([encoded.stream[:cut]])[0].shape == picture.shape
    [shown] = photo.decode([encoded.stream])
    assert quality(picture, shown) > 30
    [levels_] = photo.measure([picture], [encoded.stream])
    assert levels_[-1].bytes == len(encoded.stream)


def test_a_stream_ends_when_its_picture_is_good(photo: PhotoCodec, pictures, streams) -> None:
    for picture, stream in zip(pictures, streams, strict=True):
        [shown] = photo.decode([stream])
        room = photo.bits_a_pixel * Size.of(picture).pixels / 8
        if len(stream) < room - 8:
            # with networks it ends with the last plane that they know
            has_networks = photo.inspect(stream).facts["networks"]
            found, least = quality(picture, shown), 39.5 if has_networks else GOOD_PSNR - 0.8
            assert least < found < GOOD_PSNR + 0.8
        assert len(stream) <= room + photo.minimum_bytes


@pytest.mark.parametrize("networks", [False, True])
def test_a_picture_of_large_coefficients_alone_is_told(photo: PhotoCodec, networks: bool) -> None:
    """A gradient has nothing in the last planes, by which an encoder knows when it is done."""
    y, x = np.indices((200, 300))
    picture = np.stack((x / 2, y / 2, (x + y) / 4), 2).astype(np.uint8)
    stream = photo.stream(picture, networks=networks)
    assert quality(picture, photo.decode([stream])[0]) > 38


def test_more_bytes_are_a_better_picture(photo: PhotoCodec, pictures, streams) -> None:
    """100 cuts; so few pictures tremble by .03 dB where Kodak's mean does by .01."""
    scores = []
    for picture, stream in zip(pictures, streams, strict=True):
        cuts = np.rint(np.geomspace(photo.minimum_bytes, len(stream), 100)).astype(int)
        scores.append([quality(picture, p) for p in photo.decode_cuts(stream, cuts.tolist())])
    means = np.mean(scores, 0)
    assert np.diff(means).min() > -0.03
    assert means[-1] - means[0] > 15


@pytest.mark.parametrize("order", ORDERS)
def test_each_order_is_read_from_the_header(photo: PhotoCodec, pictures, order: str) -> None:
    stream = photo.stream(pictures[3], order)
    assert photo.inspect(stream).facts["order"] == order
    assert quality(pictures[3], photo.decode([stream])[0]) > 35


def test_an_inspection_says_which_pass_each_stretch_tells(photo: PhotoCodec, streams) -> None:
    whole = photo.inspect(streams[0]).chunks
    assert sum(chunk.length_bytes for chunk in whole) == len(streams[0])
    assert [chunk.offset_bytes for chunk in whole] == sorted(c.offset_bytes for c in whole)
    for chunk in whole[2:-2:9]:  # a pass is decided within some bytes of where it is said to end
        end = chunk.offset_bytes + chunk.length_bytes
        told = photo.inspect(streams[0][: end + 4]).chunks
        assert chunk in told
        assert chunk not in photo.inspect(streams[0][: end - 4]).chunks


def test_orders_are_good_at_what_they_are_for(photo: PhotoCodec, pictures) -> None:
    cut = 3000
    mean = {}
    for order in ORDERS:
        shown = [photo.decode([photo.stream(p, order)[:cut]])[0] for p in pictures]
        mean[order] = np.mean([quality(p, s) for p, s in zip(pictures, shown, strict=True)])
    assert mean["psnr"] >= mean["default"] - 0.05
    assert mean["default"] > mean["eyes"]


def test_a_smaller_picture_is_the_low_pass_one(photo: PhotoCodec, pictures, streams) -> None:
    picture, stream = pictures[0], streams[0]
    longest = max(picture.shape)
    for size in (longest, longest // 2, 100, 60, 1):
        [shown] = photo.decode([stream], size)
        assert max(shown.shape) >= min(size, longest)
        assert max(shown.shape) < 2 * size or size == 1
    half = photo.decode([stream], (longest + 1) // 2)[0]
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    boxes = picture[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    cropped = half[: height // 2, : width // 2].astype(float)
    assert np.abs(cropped - boxes).mean() < 4


def test_levels_are_what_prefixes_are_worth(photo: PhotoCodec, pictures, streams) -> None:
    found = photo.measure(pictures, streams)
    for picture, stream, levels_ in zip(pictures, streams, found, strict=True):
        assert len(levels_) == levels.COUNT
        assert [one.bytes for one in levels_] == levels.cuts_of(len(stream), 7)
        shown = list(photo.decode_cuts(stream, [one.bytes for one in levels_]))
        assert levels.splits_of(Size.of(picture)) == 0
        for one, picture_then in zip(levels_, shown, strict=True):
            assert one.psnr == pytest.approx(quality(picture, picture_then), abs=0.01)
        assert [one.ssim for one in levels_] == sorted(one.ssim for one in levels_)
        assert levels_[-1].msssim is not None
        assert levels_[-1].msssim > 0.98


def test_large_photos_are_measured_smaller() -> None:
    assert levels.splits_of(Size(2048, 1536)) == 2
    assert levels.splits_of(Size(1023, 700)) == 1
    assert levels.splits_of(Size(1022, 700)) == 0
    assert levels.splits_of(Size(4096, 200)) == 0  # its short side would have no MS-SSIM


MUTATE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MUTATE
@given(st.data())
def test_any_mutation_paints_or_is_a_codec_error(photo: PhotoCodec, data: st.DataObject) -> None:
    picture = (np.indices((33, 47)).sum(0)[..., None] * (3, 2, 1) % 256).astype(np.uint8)
    stream = bytearray(photo.stream(picture))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(3, len(stream) - 1))
        stream[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(stream)))
    try:
        header = photo.header(bytes(stream[:cut]))
    except CodecError:
        return
    assert header.size is not None
    if header.size.pixels < 10_000:
        [shown] = photo.decode([bytes(stream[:cut])])
        assert shown.shape == (header.size.height, header.size.width, 3)


@MUTATE
@given(st.binary(max_size=400))
def test_any_payload_paints(photo: PhotoCodec, payload: bytes) -> None:
    head = photo.stream(np.zeros((40, 24, 3), np.uint8))[:5]
    assert photo.decode([head + payload])[0].shape == (40, 24, 3)


def test_wrong_headers_are_refused(photo: PhotoCodec, streams) -> None:
    for wrong in (b"", streams[0][:4], b"\x11" + streams[0][1:], streams[0][:2] + b"\x20"):
        with pytest.raises(CodecError):
            photo.header(wrong)
        with pytest.raises(CodecError):
            photo.decode([wrong])
        with pytest.raises(CodecError):
            photo.inspect(wrong)


def test_damaged_tables_are_refused(photo: PhotoCodec, tmp_path: Path) -> None:
    path = tmp_path / "tables.npz"
    for damage in (
        {"step": np.zeros(1, np.uint16)},
        {"seen": photo.stored.seen + 6},
        {"squash": photo.stored.squash[::-1].copy()},
        {"usual": photo.stored.usual[:2]},
        {"colours": photo.stored.colours.astype(np.int32)},
    ):
        replace(photo.stored, **damage).write(path)
        with pytest.raises(ArtifactError):
            tables.read(path)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ArtifactError):
        tables.read(path)
