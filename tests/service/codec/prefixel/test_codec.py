"""The embedded codec on its shipped tables: every byte a stop, integers alone, golden streams."""

from __future__ import annotations

import ast
import contextlib
import json
import math
import shutil
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.codec.entropy import range_coder
from service.codec.header import HEADER_BYTES, pack_header
from service.codec.interface import measured
from service.codec.prefixel import bitplane_coder, context_model
from service.codec.prefixel import codec as prefixel_codec
from service.codec.prefixel import tables as prefixel_tables
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.prefixel.context_model import COEFFICIENTS, REFINEMENT
from service.codec.registry import load_codec
from service.errors import ArtifactError, CodecError
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from service.settings import packaged_artifacts
from tests.support.photos import crops
from tests.support.uncompiled import uncompiled

VECTORS = Path(__file__).parents[3] / "vectors"


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(48, seed=5)])


@pytest.fixture(scope="module")
def streams(prefixel: EmbeddedCodec, pictures: np.ndarray) -> list[bytes]:
    return [e.stream for e in prefixel.encode(pictures, [1.5] * len(pictures))]


def odd_pictures() -> np.ndarray:
    """What no photo looks like: flat, noise, stripes, a checkerboard, one pixel."""
    pictures = np.zeros((6, 32, 32, 3), np.uint8)
    pictures[1] = 255
    pictures[2] = np.random.default_rng(1).integers(0, 256, (32, 32, 3))
    pictures[3, ::2] = (255, 0, 255)
    pictures[4] = 255 * (np.indices((32, 32)).sum(axis=0) % 2)[..., None]
    pictures[5, 7, 9] = (0, 255, 0)
    return pictures


def test_every_prefix_paints_and_no_byte_makes_the_set_worse(
    prefixel: EmbeddedCodec, pictures: np.ndarray, streams: list[bytes]
) -> None:
    quality = []
    pictures, streams = pictures[:24], streams[:24]
    each = range(HEADER_BYTES, 160)
    for length in (*each, *range(160, prefixel.maximum_bytes + 1, 8)):
        shown = np.stack(prefixel.decode([stream[:length] for stream in streams]))
        quality.append(block_ssim(pictures, shown).mean())
    assert np.diff(quality).min() > -1e-3  # 24 pictures; the evaluation holds 1e-4 on hundreds
    assert quality[62] > 0.7
    assert quality[-1] > 0.93


def test_levels_are_what_the_prefixes_are_worth(prefixel: EmbeddedCodec, pictures, streams) -> None:
    encoded = measured(prefixel, pictures, prefixel.encode(pictures, [1.0] * len(pictures)))
    for one in encoded:
        ends = sorted({min(length, len(one.stream)) for length in prefixel_codec.LEVELS_BYTES})
        assert [level.bytes for level in one.levels] == ends
    assert max(len(e.levels) for e in encoded) == len(prefixel_codec.LEVELS_BYTES)
    assert encoded[0].levels[-1].bytes == len(encoded[0].stream)  # the whole stream has a level
    long = [n for n, stream in enumerate(streams) if len(stream) > 192]
    encoded, pictures = [encoded[n] for n in long], pictures[long]
    assert len(encoded) > 20
    for k in (0, 4, 8, -1):
        shown = np.stack(prefixel.decode([e.stream[: e.levels[k].bytes] for e in encoded]))
        np.testing.assert_allclose(
            block_ssim(pictures, shown), [e.levels[k].ssim for e in encoded], atol=2e-3
        )
        np.testing.assert_allclose(
            psnr(pictures, shown), [e.levels[k].psnr for e in encoded], atol=0.05
        )


def test_what_is_no_photo_is_coded_too(prefixel: EmbeddedCodec) -> None:
    pictures = odd_pictures()
    encoded = measured(prefixel, pictures, prefixel.encode(pictures, [1.0] * len(pictures)))
    shown = np.stack(prefixel.decode([e.stream for e in encoded]))
    assert np.abs(shown[:2].astype(int) - pictures[:2]).max() <= 8
    assert len(encoded[0].stream) < 200  # nothing is padded
    assert encoded[0].levels[2].psnr > 40
    assert prefixel.inspect(encoded[0].stream).complete
    assert [level.bytes for level in encoded[0].levels][-1] == len(encoded[0].stream)
    assert (psnr(pictures, shown) > [45, 45, 12, 13, 12, 34]).all()


def test_a_stream_ends_where_training_did(prefixel: EmbeddedCodec, pictures) -> None:
    """The network is not told of more than it learned from: no picture gets worse at its end."""
    both = np.concatenate([pictures, odd_pictures()])
    streams = [e.stream for e in prefixel.encode(both, [1.0] * len(both))]
    entries = prefixel.artifact.manifest.config["entries"]
    cut = prefixel.packed._replace(entries=prefixel.packed.entries[:entries])
    whole = np.stack(prefixel.decode(streams))
    ended = [n for n, s in enumerate(streams) if len(s) < prefixel.maximum_bytes]
    assert len(ended) > 10
    for n in ended:
        known, _ = bitplane_coder.decode(prefixel.packed, [streams[n][HEADER_BYTES:]])
        assert bitplane_coder.is_complete(cut, known)
        assert prefixel.inspect(streams[n]).complete
        assert not prefixel.inspect(streams[n][: len(streams[n]) // 2]).complete
    shorter = np.stack(prefixel.decode([s[: max(3 * len(s) // 4, 16)] for s in streams]))
    gained = psnr(both[ended], whole[ended]) - psnr(both[ended], shorter[ended])
    assert gained.min() > -4  # flat white, of 50 dB; with all entries it loses 30


@pytest.mark.parametrize("entries", [0, 10**6, [1]])
def test_entries_that_there_are_not_are_refused(tmp_path: Path, entries: object) -> None:
    folder = shutil.copytree(packaged_artifacts() / "prefixel", tmp_path / "prefixel")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config"]["entries"] = entries
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="entries"):
        load_codec(folder, Runtime("cpu", 1))


def test_a_whole_stream_holds_every_coefficient(prefixel: EmbeddedCodec, pictures) -> None:
    both = np.concatenate([pictures[:8], odd_pictures()])
    values = prefixel_codec.quantise(prefixel.stored, both)
    known, _ = bitplane_coder.decode(
        prefixel.packed, bitplane_coder.encode(prefixel.packed, values, 20_000)
    )
    np.testing.assert_array_equal(known.cells, values)
    assert (known.plane == 0).all()


def test_a_prefix_knows_cells_that_hold_the_coefficients(prefixel: EmbeddedCodec, pictures) -> None:
    values = prefixel_codec.quantise(prefixel.stored, pictures[:8])
    payloads = bitplane_coder.encode(prefixel.packed, values, 510)
    known, symbols = bitplane_coder.decode_cuts(
        prefixel.packed, payloads, np.tile(np.arange(511), (8, 1))
    )
    assert (np.diff(symbols) >= 0).all()
    for n in range(8):
        asked = (known.plane[n] <= prefixel.tables.tops) | (known.cells[n] != 0)
        cells = np.abs(values[n]) >> known.plane[n].astype(np.int32)
        found = np.abs(known.cells[n])
        differs = asked & (found != cells)
        assert (differs.sum(axis=1) <= (symbols[n] > 0)).all()  # an escape that the cut leaves open
        assert (found <= cells)[asked].all()


def test_a_prefix_costs_two_bits_over_its_information(prefixel: EmbeddedCodec, pictures) -> None:
    over: list[float] = []
    for values in prefixel_codec.quantise(prefixel.stored, pictures[:12]):
        payloads = bitplane_coder.encode(prefixel.packed, values[None], 510)
        cuts = np.arange(1, min(len(payloads[0]), 500), 3)
        _, symbols = bitplane_coder.decode_cuts(prefixel.packed, payloads, cuts[None])
        ideal = np.concatenate([[0.0], np.cumsum(ideal_bits(prefixel.tables, values))])
        over += list(8 * cuts - ideal[symbols[0]])
    assert np.mean(over) < 4
    assert np.percentile(over, 99) < 24


def ideal_bits(tables: context_model.Tables, values: np.ndarray) -> list[float]:
    """What each symbol says, in bits: the parse written once more, from FORMAT.md."""
    energy = [context_model.USUAL_ENERGY] * (COEFFICIENTS + 1)
    bits = []
    last = tables.zero.shape[1] - 1
    magnitudes = np.abs(values)
    kinds, at, at_plane = tables.order.T
    refines = ((magnitudes[at] >> (at_plane + 1)) > 0) & (at_plane < tables.tops[at])
    for kind, i, p in tables.order[refines == (kinds == REFINEMENT)].tolist():
        m, g = int(magnitudes[i]), tables.groups[i]
        c = min(max(tables.classes[i] - 4 * p, 0), last)
        if kind == REFINEMENT:
            row = tables.refinement[g, c, 0 if m >> p + 1 == 1 else 1]
            symbol = 1 - (m >> p & 1)
        else:
            near = zip(tables.weights[i], tables.neighbours[i], strict=True)
            total = sum(int(w) * int(energy[j]) for w, j in near)
            row = tables.significance[
                g, c, tables.contexts[min(total >> 5, len(tables.contexts) - 1)]
            ]
            symbol = (0 if values[i] > 0 else 1) if m >> p else 2
            energy[i] = (tables.nonzero if m >> p else tables.zero)[g, c]
        bits.append(16 - math.log2(row[symbol + 1] - row[symbol]))
        if kind != REFINEMENT and symbol != 2 and p == tables.tops[i]:
            bits += escape_bits(tables, m >> p)
    return bits


def escape_bits(tables: context_model.Tables, cells: int) -> list[float]:
    above = cells.bit_length() - 1
    yes, no = np.diff(tables.escape)
    return [16 - math.log2(yes)] * above + [16 - math.log2(no)] + [1.0] * above


def test_python_and_machine_code_parse_alike(
    prefixel: EmbeddedCodec, pictures, monkeypatch
) -> None:
    both = np.concatenate([pictures[:3], odd_pictures()[3:]])
    values = prefixel_codec.quantise(prefixel.stored, both)
    payloads = bitplane_coder.encode(prefixel.packed, values, 100)
    cuts = np.tile([0, 1, 30, 100], (6, 1))
    expected = bitplane_coder.decode_cuts(prefixel.packed, payloads, cuts)
    for name in ("write_batch", "read_batch"):
        monkeypatch.setattr(bitplane_coder, name, uncompiled(getattr(bitplane_coder, name)))
    assert bitplane_coder.encode(prefixel.packed, values, 100) == payloads
    known, symbols = bitplane_coder.decode_cuts(prefixel.packed, payloads, cuts)
    np.testing.assert_array_equal(known.cells, expected[0].cells)
    np.testing.assert_array_equal(known.plane, expected[0].plane)
    np.testing.assert_array_equal(symbols, expected[1])


def test_no_float_reaches_the_parse(prefixel: EmbeddedCodec, pictures, monkeypatch) -> None:
    """Every value that a function of the parse is given or gives back is an integer.

    The uncompiled parse is traced, call by call; the compiled one tells its types.
    """
    kinds: set[type | np.dtype] = set()
    for name in ("write_batch", "read_batch"):
        monkeypatch.setattr(bitplane_coder, name, uncompiled(getattr(bitplane_coder, name)))

    def trace(frame, event, argument):
        if frame.f_code.co_filename in PARSE_FILES and event in ("call", "return"):
            kinds.update(kinds_of(frame.f_locals.values()))
            kinds.update(kinds_of([argument]))
        return trace

    values = prefixel_codec.quantise(prefixel.stored, pictures[:1])
    sys.settrace(trace)
    try:
        bitplane_coder.decode(prefixel.packed, bitplane_coder.encode(prefixel.packed, values, 40))
    finally:
        sys.settrace(None)
    assert np.dtype(np.uint8) in kinds
    assert int in kinds
    for kind in kinds:
        if isinstance(kind, np.dtype):
            assert np.issubdtype(kind, np.integer), kind
        else:
            assert not issubclass(kind, float | complex | np.inexact), kind
    monkeypatch.undo()
    for function in (bitplane_coder.write_batch, bitplane_coder.read_batch):
        assert function.signatures
        assert "float" not in str(function.signatures)


PARSE_FILES = {bitplane_coder.__file__, range_coder.__file__}


def kinds_of(values) -> set[type | np.dtype]:
    """Types of values, those in tuples, lists and arrays too; None and functions have none."""
    kinds: set[type | np.dtype] = set()
    for value in values:
        if isinstance(value, np.ndarray):
            kinds.add(value.dtype)
        elif isinstance(value, tuple | list):
            kinds |= kinds_of(value)
        elif value is not None and not callable(value):
            kinds.add(type(value))
    return kinds


@pytest.mark.parametrize("module", [bitplane_coder, range_coder, context_model])
def test_the_source_of_the_parse_has_no_float(module) -> None:
    """No float constant, no true division, no float type, no rounding, no function of math."""
    words = {"float", "float16", "float32", "float64", "rint", "round", "math", "sqrt", "log2"}
    for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float | complex))
        assert not isinstance(node, ast.Div)
        assert not (isinstance(node, ast.Name) and node.id in words)
        assert not (isinstance(node, ast.Attribute) and node.attr in words)


def test_painting_values_do_not_move_a_symbol(prefixel: EmbeddedCodec, streams) -> None:
    stored = prefixel.stored
    other = replace(
        stored,
        steps=stored.steps + np.uint16(7),
        means=stored.means + np.int16(5),
        centroids=stored.centroids // 2,
        colours=stored.colours[::-1].copy(),
    )
    moved = bitplane_coder.pack_tables(prefixel_tables.for_parse(other))
    payloads = [stream[HEADER_BYTES:90] for stream in streams[:4]]
    (known, symbols), (same, count) = (
        bitplane_coder.decode(w, payloads) for w in (moved, prefixel.packed)
    )
    np.testing.assert_array_equal(known.cells, same.cells)
    np.testing.assert_array_equal(known.plane, same.plane)
    np.testing.assert_array_equal(symbols, count)


def test_lengths_in_one_batch_do_not_touch_each_other(prefixel: EmbeddedCodec, streams) -> None:
    cuts = [s[: 2 + 9 * n] for n, s in enumerate(streams)] * 2
    together = prefixel.decode(cuts)
    assert len(together) == 96
    for cut, picture in list(zip(cuts, together, strict=True))[::5]:
        (alone,) = prefixel.decode([cut])
        assert np.abs(picture.astype(int) - alone).max() <= 1


def test_one_at_a_time_gives_the_same_streams(prefixel: EmbeddedCodec, pictures, streams) -> None:
    for picture, stream in zip(pictures[:6], streams, strict=False):
        assert prefixel.encode(picture[None], [1.5])[0].stream == stream


@given(cut=st.integers(0, 512), flips=st.lists(st.tuples(st.integers(0, 511), st.integers(1, 255))))
@settings(max_examples=100, deadline=None)
def test_any_mutation_paints_or_is_a_codec_error(
    prefixel: EmbeddedCodec, streams: list[bytes], cut: int, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(streams[0].ljust(512, b"\xff"))
    for at, mask in flips:
        data[at] ^= mask
    stream = bytes(data[:cut])
    try:
        (picture,) = prefixel.decode([stream])
        inspection = prefixel.inspect(stream)
    except CodecError:
        ours = pack_header(2, prefixel.version, 1.0)[0]
        assert len(stream) < HEADER_BYTES or stream[0] != ours or stream[1] & 1
    else:
        assert picture.shape == (32, 32, 3)
        assert sum(c.length_bytes for c in inspection.chunks) == len(stream)


@given(st.binary(max_size=520))
@settings(max_examples=200, deadline=None)
def test_any_payload_paints(prefixel: EmbeddedCodec, payload: bytes) -> None:
    stream = pack_header(2, prefixel.version, 1.0) + payload
    with contextlib.suppress(CodecError):
        (picture,) = prefixel.decode([stream])
        assert picture.dtype == np.uint8
    if len(stream) > prefixel.maximum_bytes:
        with pytest.raises(CodecError, match="more than a whole stream"):
            prefixel.decode([stream])


def test_the_order_never_asks_before_it_may(prefixel: EmbeddedCodec) -> None:
    place = {tuple(entry): k for k, entry in enumerate(prefixel.tables.order.tolist())}
    assert len(place) == len(prefixel.tables.order)
    for (kind, at, plane), k in place.items():
        above = [(0, at, plane + 1)] if kind == 0 else [(0, at, plane + 1), (1, at, plane + 1)]
        assert all(place.get(entry, -1) < k for entry in above)


@pytest.mark.parametrize("field", [f.name for f in fields(prefixel_tables.Stored)])
def test_damaged_tables_are_refused(prefixel: EmbeddedCodec, tmp_path: Path, field: str) -> None:
    array = getattr(prefixel.stored, field)
    for damaged in (array.astype(np.float32), array[..., :-1], None):
        arrays = {f.name: getattr(prefixel.stored, f.name) for f in fields(prefixel.stored)}
        arrays[field] = damaged
        np.savez(tmp_path / "t.npz", **{k: v for k, v in arrays.items() if v is not None})
        if field == "rows" and damaged is not None and damaged.dtype == np.uint8:
            continue  # any number of energies is a table
        with pytest.raises(ArtifactError):
            prefixel_tables.read(tmp_path / "t.npz")


def test_what_is_no_table_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ArtifactError, match="not a file of tables"):
        prefixel_tables.read(tmp_path / "t.npz")


def test_wrong_pictures_are_refused(prefixel: EmbeddedCodec) -> None:
    with pytest.raises(ValueError, match="uint8"):
        prefixel.encode(np.zeros((1, 16, 16, 3), np.uint8), [1.0])
    with pytest.raises(ValueError, match="aspects"):
        prefixel.encode(np.zeros((2, 32, 32, 3), np.uint8), [1.0])


def golden() -> list[dict[str, object]]:
    return json.loads((VECTORS / "prefixel" / "streams.json").read_text())["streams"]


@pytest.mark.parametrize("number", range(6))
def test_golden_streams_paint_as_they_always_did(prefixel: EmbeddedCodec, number: int) -> None:
    vector = golden()[number]
    stream = bytes.fromhex(str(vector["stream"]))
    painted = np.load(VECTORS / "prefixel" / "pictures.npz")
    for length in vector["prefixes"]:
        (picture,) = prefixel.decode([stream[:length]])
        expected = painted[f"{vector['name']}-{length}"]
        assert np.abs(picture.astype(int) - expected).max() <= 1
        assert prefixel.inspect(stream[:length]).facts["symbols"] == vector["symbols"][str(length)]
