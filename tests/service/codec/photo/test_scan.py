"""The scan: exact in Python and machine code, whole and resumed, on one thread and two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from service.codec.entropy.range_coder import MARGIN
from service.codec.geometry import Size
from service.codec.photo import bitplane_coder, encoder, tables
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.order import Grid, Ints
from service.codec.photo.threads import Threads
from service.codec.photo.writer import Writer
from service.codec.pixels import Pixels
from tests.support.uncompiled import uncompiled


def state_at(photo: PhotoCodec, stream: bytes, *cuts: int) -> tuple[Any, ...]:
    parse, _, _ = photo.parse(stream)
    for cut in cuts:
        symbols = parse.advance(cut)
    return symbols, parse.known.tobytes(), (parse.negative * (parse.known != 0)).tobytes()


def integers(photo: PhotoCodec, picture: Pixels, networks: bool) -> tuple[Ints, Ints, Grid]:
    """What a stream spells, its passes, and where all stand."""
    grid, steps = photo.geometry(Size.of(picture), 0, networks)
    if not networks:
        return *encoder.quantised(picture, grid, steps, Threads(1)), grid
    network = photo.network("analysis")
    split = encoder.analysed(picture, grid, steps, Threads(1), network)
    found = encoder.quantised_cells(split, grid, steps, Threads(1), network.last_plane)
    return *found, grid


def test_python_and_machine_code_say_the_same(
    photo: PhotoCodec, pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.ascontiguousarray(pictures[0][60:83, 40:67])
    fast = photo.stream(picture)
    cuts = [9, 30, 31, 90, len(fast) // 2, len(fast)]
    known = [state_at(photo, fast, cut) for cut in cuts]
    slow = uncompiled(bitplane_coder.scan)
    monkeypatch.setattr("service.codec.photo.bitplane_coder.scan", slow)
    monkeypatch.setattr("service.codec.photo.parse.scan", slow)
    monkeypatch.setattr("service.codec.photo.writer.scan", slow)
    assert photo.stream(picture) == fast
    assert [state_at(photo, fast, cut) for cut in cuts] == known


def test_a_resumed_parse_is_a_whole_one(photo: PhotoCodec, streams) -> None:
    for stream in streams[:2]:
        draw = np.random.default_rng(len(stream))
        cuts = sorted({*draw.integers(7, len(stream), 40).tolist(), 8, 9, 10, len(stream)})
        parse, _, _ = photo.parse(stream)
        for cut in cuts:
            symbols = parse.advance(cut)
            if cut % 3 == 0 or cut == cuts[-1]:
                whole = state_at(photo, stream, cut)
                assert whole[:2] == (symbols, parse.known.tobytes())


def test_what_is_known_while_writing_is_what_a_prefix_tells(photo: PhotoCodec, pictures) -> None:
    """To a byte, at any cut; and the stream is the same however often it was asked."""
    picture = pictures[0]
    for networks in (False, photo.has_networks):
        stream = photo.stream(picture, networks=networks)
        values, passes, grid = integers(photo, picture, networks)
        room = int(photo.bits_a_pixel * picture[..., 0].size / 8)
        (parse, _, _), (later, _, _) = photo.parse(stream), photo.parse(stream)
        head = len(stream) - len(parse._data)
        writer = Writer(grid, passes, photo.tables(networks), values, stream[:head], room)
        for cut in np.geomspace(3, writer.most_bytes, 60).astype(int).tolist():
            reached = writer.reach(cut)
            assert reached == min(cut, len(stream))
            assert writer.ended == (cut >= len(stream))
            parse.advance(reached - 2)
            later.advance(reached + 1)
            found = writer.known != 0
            assert not ((parse.known != 0) & ~found).any()
            if not writer.ended:
                assert not (found & (later.known == 0)).any()
        assert writer.stream == stream
        # the last bytes may have had no room, or tell more than was written
        assert (writer.known != later.known).sum() < 8 * MARGIN


def test_threads_do_not_touch_each_other(photo: PhotoCodec, pictures, streams) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(photo.stream, pictures)) == streams
        several = [pool.submit(state_at, photo, s, len(s)) for s in streams for _ in range(2)]
        alone = [state_at(photo, s, len(s)) for s in streams for _ in range(2)]
        assert [one.result() for one in several] == alone


def test_what_was_written_is_read(photo: PhotoCodec, pictures) -> None:
    """Every decided magnitude is the encoder's, at the plane that its middle says."""
    picture = pictures[1]
    networks = photo.has_networks
    stream = photo.stream(picture, networks=networks)
    values, _, _ = integers(photo, picture, networks)
    for cut in (100, 1000, len(stream)):
        parse, _, _ = photo.parse(stream)
        parse.advance(cut)
        found = np.flatnonzero(parse.known)
        middle = parse.known[found].astype(np.int64)
        unit = middle & -middle
        assert (np.abs(values[found]) // unit == middle // (2 * unit)).all()
        assert ((values[found] < 0) == parse.negative[found].astype(bool)).all()
        assert len(found) > 10


def test_a_prefix_costs_no_more_than_its_information(photo: PhotoCodec, pictures) -> None:
    """Bytes a symbol over the ideal: the range coder's rounding, and the end's three bytes."""
    picture = pictures[2]
    networks = photo.has_networks
    values, passes, grid = integers(photo, picture, networks)
    own = photo.tables(networks)
    payload = Writer(grid, passes, own, values, b"", 10**6).whole()
    price = np.zeros((len(passes), 2))
    places = 3 * grid.coefficients
    bitplane_coder.scan(
        bitplane_coder.PRICE,
        grid._replace(passes=passes),
        tables.fresh(own.models),
        own.fixed,
        values,
        np.zeros(places, np.int32),
        np.zeros(places, np.int8),
        np.zeros(3 * grid.flags, np.int8),
        np.zeros(bitplane_coder.STATE, np.int64),
        np.zeros(1, np.uint8),
        0,
        price,
        np.zeros((1, 1, 2), np.int64),
    )
    written = 8 * len(payload)
    assert price[:, 0].sum() - 1 <= written <= price[:, 0].sum() * 1.001 + 32


def test_the_source_of_the_parse_has_no_float() -> None:
    """Only prices are floats, and no symbol depends on one."""
    import ast
    import inspect

    names = ("scan", "_coded", "_share", "_adapted", "_any")
    trees = [ast.parse(inspect.getsource(getattr(bitplane_coder, name).py_func)) for name in names]
    floats = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or isinstance(node, ast.Div)
    ]
    assert not floats
