"""Byte order x compression x predictor x layout x sample type x photometric, written by tifffile.

The pictures are as large as what ``open`` is asked for, so that pixels come out as they went in,
and what they must be is plain numpy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from service.errors import PictureError
from service.pictures import Limits, Opener
from tests.support.tiffs import tiff_file
from tests.support.variants import photo

OPENER = Opener(Limits())
SIDE = 48
Array = NDArray[Any]

UNSIGNED, SIGNED = ("u1", "u2", "u4", "u8"), ("i1", "i2", "i4", "i8")
FLOATS = ("f2", "f4", "f8")
COMPRESSIONS = ("none", "lzw", "deflate", "packbits")
LAYOUTS: dict[str, dict[str, Any]] = {
    "one-strip": {},
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (32, 32)},
}


def levels(channels: int) -> Array:
    """A photo's uint8 [SIDE, SIDE, channels]."""
    rgb = np.asarray(photo(SIDE, SIDE))
    found: Array = np.dstack((rgb, rgb[::-1], rgb[:, ::-1]))[:, :, :channels]
    return found


def deep(found: Array, kind: str) -> Array:
    """The same in another type of sample, white being white."""
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        return (found / 255).astype(dtype)
    white = int(np.iinfo(dtype).max)
    # exact, also where white has more bits than a float
    whole = (found.astype(object) * white + 127) // 255
    return whole.astype(dtype)


def ways(planes: bool, kinds: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A name, the options of imwrite, the type of sample; layouts in turn."""
    planar = ("contig", "separate") if planes else ("contig",)
    layouts = itertools.cycle(LAYOUTS)
    for order, compression, plane, kind in itertools.product("<>", COMPRESSIONS, planar, kinds):
        predictors = [1]
        if compression in ("lzw", "deflate"):
            predictors.append(3 if kind[0] == "f" else 2)
        for predictor in predictors:
            layout = next(layouts)
            options = {"byteorder": order, "planarconfig": plane, **LAYOUTS[layout]}
            options["compression"] = None if compression == "none" else compression
            if predictor > 1:
                options["predictor"] = predictor
            yield f"{order} {compression} {predictor} {plane} {kind} {layout}", options, kind


def written(samples: Array, planarconfig: str = "contig", **options: Any) -> bytes:
    body = BytesIO()
    if samples.ndim == 3 and planarconfig == "separate":
        samples = np.ascontiguousarray(np.moveaxis(samples, 2, 0))
    if samples.ndim == 3:
        options["planarconfig"] = planarconfig
    tifffile.imwrite(body, samples, metadata=None, software=False, **options)
    return body.getvalue()


def wrong(upload: bytes, wanted: Array, tolerance: float = 1) -> str:
    """Why a picture is not what it should be; empty when it is."""
    try:
        found = OPENER.open(upload, size=len(wanted))
    except PictureError as error:
        return str(error)
    off = np.abs(found.rgb.astype(int) - wanted).max()
    return "" if off <= tolerance else f"{off} levels off"


def over_white(rgb: Array, alpha: Array, is_premultiplied: bool) -> Array:
    share = alpha[:, :, None] / 255
    found: Array = (rgb if is_premultiplied else rgb * share) + 255 * (1 - share)
    return found


def packed(samples: Array, bits: int, order: str) -> list[bytes]:
    """Rows of samples without gaps, most significant bit first; whole bytes in their order."""
    if bits in (16, 24):
        whole = samples.astype(f"{order}u4").view("u1").reshape(*samples.shape, 4)
        cut = whole[:, :, : bits // 8] if order == "<" else whole[:, :, 4 - bits // 8 :]
        return [row.tobytes() for row in cut]
    places = np.arange(bits - 1, -1, -1)
    single = (samples[:, :, None] >> places & 1).astype(np.uint8).reshape(len(samples), -1)
    return [row.tobytes() for row in np.packbits(single, axis=1)]


def grey(found: Array) -> Array:
    return np.repeat(found[:, :, :1], 3, axis=2)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_grey(photometric: str) -> None:
    found, failures = levels(1), []
    wanted = grey(found if photometric == "minisblack" else 255 - found)
    kinds = (*UNSIGNED, *SIGNED, *FLOATS)
    for name, options, kind in ways(False, kinds):
        upload = written(deep(found, kind)[:, :, 0], photometric=photometric, **options)
        if why := wrong(upload, wanted):
            failures.append(f"{name}: {why}")
    assert failures == []


def test_rgb() -> None:
    found, failures = levels(3), []
    for name, options, kind in ways(True, ("u1", "u2", "u4", "i2", "f2", "f4")):
        upload = written(deep(found, kind), photometric="rgb", **options)
        if why := wrong(upload, found):
            failures.append(f"{name}: {why}")
    assert failures == []


@pytest.mark.parametrize("extra", ["unspecified", "assocalpha", "unassalpha"])
@pytest.mark.parametrize("colours", [1, 3])
def test_more_samples_than_colours(colours: int, extra: str) -> None:
    rgb, alpha, failures = levels(colours), levels(9)[:, :, 7], []
    share = alpha[:, :, None] / 255
    stored = np.rint(rgb * share).astype(np.uint8) if extra == "assocalpha" else rgb
    wanted = rgb if extra == "unspecified" else over_white(stored, alpha, extra == "assocalpha")
    for name, options, kind in ways(True, ("u1", "u2", "f4")):
        upload = written(
            deep(np.dstack((stored, alpha)), kind),
            photometric="rgb" if colours == 3 else "minisblack",
            extrasamples=[extra],
            **options,
        )
        if why := wrong(upload, wanted if colours == 3 else grey(wanted), tolerance=3):
            failures.append(f"{name}: {why}")
    assert failures == []


def test_an_alpha_behind_another_sample_is_found() -> None:
    rgb, alpha, other = levels(3), levels(9)[:, :, 7], levels(9)[:, :, 8]
    for plane in ("contig", "separate"):
        upload = written(
            np.dstack((rgb, other, alpha)),
            plane,
            photometric="rgb",
            extrasamples=["unspecified", "unassalpha"],
        )
        assert wrong(upload, over_white(rgb, alpha, False), tolerance=3) == ""


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("is_shallow", [False, True])
def test_palette(kind: str, is_shallow: bool) -> None:
    colours = 2 ** (8 * np.dtype(kind).itemsize)
    random = np.random.default_rng(3)
    palette = random.integers(0, 256, (3, colours))
    stored = palette if is_shallow else palette * 257
    indices, failures = random.integers(0, colours, (SIDE, SIDE)).astype(kind), []
    wanted = palette[:, indices.astype(int)].transpose(1, 2, 0)
    for name, options, _ in ways(False, (kind,)):
        upload = written(
            indices, photometric="palette", colormap=stored.astype(np.uint16), **options
        )
        if why := wrong(upload, wanted, tolerance=0):
            failures.append(f"{name}: {why}")
    assert failures == []


def test_cmyk() -> None:
    inks, failures = levels(4), []
    wanted = (255 - inks[:, :, :3].astype(int)) * (255 - inks[:, :, 3:].astype(int)) / 255
    for name, options, kind in ways(True, ("u1", "u2", "f4")):
        upload = written(deep(inks, kind), photometric="separated", **options)
        if why := wrong(upload, wanted, tolerance=2):
            failures.append(f"{name}: {why}")
    assert failures == []


def test_ycbcr() -> None:
    rgb, failures = levels(3), []
    upload_samples = np.asarray(photo(SIDE, SIDE).convert("YCbCr"))
    for name, options, _ in ways(True, ("u1",)):
        upload = written(upload_samples, photometric="ycbcr", subsampling=(1, 1), **options)
        if why := wrong(upload, rgb, tolerance=3):
            failures.append(f"{name}: {why}")
    assert failures == []


@pytest.mark.parametrize("photometric", ["cielab", "icclab"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_lab(photometric: str, kind: str) -> None:
    from skimage import color

    rgb, failures = levels(3), []
    # saturated colours aside, which the two conversions clip in ways of their own
    calm = (rgb * 0.4 + 90).astype(np.uint8)
    lab = color.rgb2lab(calm)
    scale, white = (1, 255) if kind == "u1" else (256, 65535 if photometric == "cielab" else 65280)
    light = np.rint(lab[:, :, :1] / 100 * white)
    hues = np.rint(lab[:, :, 1:] * scale)
    hues = hues % (256 * scale) if photometric == "cielab" else hues + 128 * scale
    samples = np.dstack((light, hues)).astype(kind)
    for name, options, _ in ways(True, (kind,)):
        if why := wrong(written(samples, photometric=photometric, **options), calm, tolerance=6):
            failures.append(f"{name}: {why}")
    assert failures == []


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("side", [SIDE, SIDE - 5])
def test_bits_that_do_not_fill_bytes(order: str, side: int) -> None:
    failures = []
    for bits in (*range(1, 17), 24):
        white = 2**bits - 1
        samples = np.random.default_rng(bits).integers(0, white + 1, (side, side))
        wanted = np.repeat((samples * (255 / white))[:, :, None], 3, axis=2)
        for compression in COMPRESSIONS:
            rows = packed(samples, bits, order)
            upload = tiff_file(order, side, side, rows, 7, compression, {258: (bits,)})
            if why := wrong(upload, wanted):
                failures.append(f"{bits} {compression}: {why}")
    assert failures == []


@pytest.mark.parametrize("order", "<>")
def test_big_tiff(order: str) -> None:
    rgb = levels(3)
    for compression in (None, "lzw"):
        upload = written(
            rgb, photometric="rgb", bigtiff=True, byteorder=order, compression=compression
        )
        assert upload[2:4] in (b"+\0", b"\0+")
        assert wrong(upload, rgb, tolerance=0) == ""


UNITS = [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("side", [SIDE, SIDE - 5])
@pytest.mark.parametrize("codes", [(0, 255, 128, 255, 128, 255), (16, 235, 128, 240, 128, 240)])
def test_subsampled_colour(order: str, side: int, codes: tuple[int, ...]) -> None:
    """Chroma that is the same over each unit, so that nothing is lost by sharing it."""
    failures = []
    for (across, down), compression in itertools.product(UNITS, COMPRESSIONS):
        random = np.random.default_rng(across + 10 * down)
        rows, units = -(-side // down), -(-side // across)
        luma = random.integers(60, 190, (rows * down, units * across))
        chroma = random.integers(110, 146, (rows, units, 2))
        stored = luma.reshape(rows, down, units, across).transpose(0, 2, 1, 3)
        whole = np.concatenate((stored.reshape(rows, units, -1), chroma), axis=2).astype(np.uint8)
        y = (luma - codes[0]) * (255 / (codes[1] - codes[0]))
        both = chroma.repeat(down, axis=0).repeat(across, axis=1) - 128.0
        cb, cr = np.moveaxis(both * 127 / (codes[3] - codes[2]), 2, 0)
        wanted = np.dstack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb))
        upload = tiff_file(
            order, side, side, [row.tobytes() for row in whole], 2, compression,
            {258: (8, 8, 8), 262: (6,), 277: (3,), 278: (2 * down,), 530: (across, down),
             532: tuple(number for code in codes for number in (code, 1))},
        )  # fmt: skip
        if why := wrong(upload, wanted[:side, :side].clip(0, 255), tolerance=1.5):
            failures.append(f"{across}x{down} {compression}: {why}")
    assert failures == []


def test_jpeg_inside() -> None:
    rgb, ycbcr = levels(3), np.asarray(photo(SIDE, SIDE).convert("YCbCr"))
    for samples, wanted, options in (
        (rgb, rgb, {"photometric": "rgb"}),
        (ycbcr, rgb, {"photometric": "ycbcr", "subsampling": (2, 2)}),
        (rgb[:, :, 0], grey(rgb), {"photometric": "minisblack"}),
        (rgb, rgb, {"photometric": "rgb", "planarconfig": "separate"}),
    ):
        for order, layout in itertools.product("<>", LAYOUTS.values()):
            more = {**layout, "rowsperstrip": 16} if "rowsperstrip" in layout else layout
            upload = written(
                samples, byteorder=order, compression="jpeg",
                compressionargs={"level": 95}, **options, **more,
            )  # fmt: skip
            found = OPENER.open(upload, size=SIDE).rgb.astype(int)
            assert np.abs(found - wanted).mean() < 4, (options, order, layout)
