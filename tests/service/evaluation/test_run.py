"""``prefixel evaluate`` from pictures to tables, with a small codec of its own."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import service.cli.evaluate
from service.cli.main import main
from service.codec.interface import Effort, Encoded, Pixels
from service.evaluation.baselines import BASELINES
from service.evaluation.measure.caching import ResultCache
from service.evaluation.measure.rate_matching import nearest_not_under
from service.evaluation.report import contact_sheet
from service.evaluation.run import Subject, prefix_lengths
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from tests.support.codec import GreyCodec
from tests.support.photos import crops

for needed in ("bjontegaard", "matplotlib", "skimage", "imagecodecs", "blurhash", "thumbhash"):
    pytest.importorskip(needed)


@dataclass(frozen=True)
class CountingCodec(GreyCodec):
    """Says how often it worked."""

    name: str = "grey"
    encoded: list[int] = field(default_factory=list)
    decoded: list[int] = field(default_factory=list)

    def encode(
        self, pictures: Sequence[Pixels], aspects: Sequence[float], effort: Effort | None = None
    ) -> list[Encoded]:
        self.encoded.append(len(pictures))
        return super().encode(pictures, aspects)

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> list[Pixels]:
        self.decoded.append(len(prefixes))
        return super().decode(prefixes)


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> CountingCodec:
    codec = CountingCodec()
    subject = Subject(codec, "0123456789abcdef", 1234, {"encoder": 1.5, "decoder": 0.25})
    monkeypatch.setattr(service.cli.evaluate, "load_subjects", lambda arguments: [subject])
    return codec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, crop in enumerate(crops(4, seed=2, size_range=(170, 200))):
        crop.save(folder / f"{index}.png")
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def squashed(folder: Path) -> Pixels:
    return np.stack(
        [
            np.asarray(Image.open(folder / f"{i}.png").resize((32, 32), Image.Resampling.LANCZOS))
            for i in range(4)
        ]
    )


def evaluate(folder: Path, out: Path, *more: str) -> int:
    return main(["evaluate", "--data", str(folder), "--out", str(out), "--workers", "1", *more])


def test_the_tables_hold_what_the_codecs_do(
    codec: CountingCodec,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contact_sheet, "SCALE", 1)  # without loss, a large one takes seconds
    out = tmp_path / "out"
    wanted = ["--codec", "grey", "--baselines", "jpeg,webp,blurhash", "--targets", "64,128"]
    assert evaluate(folder, out, *wanted, "--splits", "0:2,0:4", "--contact-sheet") == 0
    report = capsys.readouterr().out
    assert (out / "report.md").read_text() == report
    assert "## Pictures 0..1, header-less payload" in report
    assert "## Pictures 0..3, whole file or stream" in report
    assert "4 pictures of 32x32, sha256" in report
    assert "| grey | SSIM (8x8 blocks) | 15 | +" in report
    assert "| grey | 1,234 | encoder 1.5, decoder 0.25 |" in report

    rows = read(out / "cells.csv")
    cells = {
        (r["split"], r["codec"], r["counting"], r["reading"], r["target_bytes"]): r for r in rows
    }
    thumbs = squashed(folder)
    streams = [encoded.stream for encoded in codec.encode(thumbs, [1.0] * 4)]
    for counting, length in (("payload", 66), ("file", 64)):
        painted = np.stack(codec.decode([stream[:length] for stream in streams]))
        for reading in ("nearest", "exact"):
            cell = cells["0..3", "grey", counting, reading, "64"]
            assert float(cell["ssim"]) == pytest.approx(
                block_ssim(thumbs, painted).mean(), abs=1e-6
            )
            assert float(cell["psnr"]) == pytest.approx(psnr(thumbs, painted).mean(), abs=1e-6)
        spent = cells["0..3", "grey", counting, "nearest", "64"]
        assert float(spent["file_bytes"]) == length
        assert float(spent["payload_bytes"]) == length - 2

    jpeg = BASELINES["jpeg"]
    files = [[jpeg.encode(rgb, quality) for quality in jpeg.settings] for rgb in thumbs[:2]]
    sizes = np.array([[len(jpeg.split(one).payload) for one in row] for row in files], float)
    chosen = nearest_not_under(sizes, np.array([64.0, 64.0])).index
    painted = np.stack(
        [jpeg.decode(row[i], (32, 32)) for row, i in zip(files, chosen, strict=True)]
    )
    cell = cells["0..1", "jpeg", "payload", "nearest", "64"]
    assert float(cell["ssim"]) == pytest.approx(block_ssim(thumbs[:2], painted).mean(), abs=1e-6)
    assert float(cell["payload_bytes"]) == sizes[[0, 1], chosen].mean()
    assert cells["0..3", "webp", "file", "nearest", "64"]["over_share"] == "1.0000"
    assert cells["0..3", "webp", "file", "exact", "64"]["covered_share"] == "0.0000"
    assert float(cells["0..3", "blurhash", "payload", "own", ""]["file_bytes"]) == 28

    whole = report.split("whole streams of ours against header-less payloads of others")[1]
    assert "| grey | 28.0 | ." in whole.split("##")[0]
    with Image.open(out / "contact-sheet.webp") as sheet:
        assert sheet.width > 5 * 32
        assert sheet.height > 6 * 32
    assert len(list(out.glob("rate-distortion-*.png"))) == 4


def test_a_second_run_measures_nothing_and_says_the_same(
    codec: CountingCodec, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    wanted = ["--codec", "grey", "--baselines", "webp,thumbhash", "--targets", "48,96"]
    assert evaluate(folder, out, *wanted) == 0
    first = capsys.readouterr().out
    made = {path.name: path.read_bytes() for path in out.glob("*.*")}
    own = {len(BASELINES["thumbhash"].encode(rgb, 0)) for rgb in squashed(folder)}
    lengths = prefix_lengths(codec, [48, 96], [*range(18, 259, 16), *own])
    assert codec.encoded == [1, 4]  # one stream for its chunk ends, then every picture once
    assert codec.decoded == [4] * len(lengths)

    assert evaluate(folder, out, *wanted) == 0
    assert capsys.readouterr().out == first
    assert {path.name: path.read_bytes() for path in out.glob("*.*")} == made
    assert codec.encoded.count(4) == 1

    for kept in (out / "cache").iterdir():  # what is damaged is measured again
        kept.write_bytes(kept.read_bytes()[:100])
    assert evaluate(folder, out, *wanted) == 0
    assert capsys.readouterr().out == first
    assert codec.encoded.count(4) == 2

    assert evaluate(folder, out, *wanted, "--fresh") == 0
    assert capsys.readouterr().out == first
    assert codec.encoded.count(4) == 3


def test_full_resolution_counts_bits_per_pixel(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    wanted = ["--full", "--baselines", "jpeg", "--targets", ".5,1", "--header-less", "--first", "1"]
    assert evaluate(folder, out, *wanted, "--metrics", "psnr,ms-ssim") == 0
    assert "| JPEG 4:2:0, standard tables |" in capsys.readouterr().out
    rows = {(r["reading"], r["target_bpp"]): r for r in read(out / "cells.csv")}
    assert 0.5 <= float(rows["nearest", "0.5"]["payload_bpp"]) < 0.6
    assert 1.0 <= float(rows["nearest", "1"]["payload_bpp"]) < 1.1
    for metric in ("psnr", "ms-ssim"):
        assert float(rows["exact", "0.5"][metric]) < float(rows["exact", "1"][metric])
    assert {row["counting"] for row in read(out / "cells.csv")} == {"payload"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--baselines", "none"],
        ["--baselines", "gif"],
        ["--targets", "x"],
        ["--targets", "0"],
        ["--targets", "64.5"],
        ["--metrics", "ms-ssim"],
        ["--splits", "9:12"],
        ["--skip", "4"],
        ["--workers", "-1"],
    ],
)
def test_wrong_use_is_said_and_is_2(
    wrong: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", str(folder), "--out", str(tmp_path / "out"), *wrong]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("prefixel: ")
    assert not (tmp_path / "out").exists()


def test_drawn_thumbnails_have_no_full_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", "--kind", "other", "--full", "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith("prefixel: --kind draws thumbnails")
    assert not out.exists()


def test_without_the_extra_it_says_what_to_install(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def found(name: str) -> object:
        return None if name == "matplotlib" else name

    monkeypatch.setattr(service.cli.evaluate, "find_spec", found)
    assert evaluate(folder, tmp_path / "out") == 2
    assert capsys.readouterr().err == (
        "prefixel: matplotlib not installed: pip install 'prefixel[evaluate]'\n"
    )


def test_a_thumbnail_codec_refuses_pictures_of_another_size(
    codec: CountingCodec, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--codec", "grey", "--baselines", "none", "--full"]
    assert evaluate(folder, tmp_path / "out", *wanted) == 2
    assert "grey codes 32x32 pixels; 0.png has" in capsys.readouterr().err


def test_the_prefixes_hold_every_target_both_ways() -> None:
    lengths = prefix_lengths(GreyCodec(), [64, 256])
    assert {64, 66, 256, 258} <= set(lengths)
    assert lengths == sorted(set(lengths))
    assert len(lengths) >= 16


def test_the_cache_tells_keys_apart_and_keeps_arrays(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "cache")
    arrays = {"ssim": np.arange(6.0).reshape(2, 3), "file_bytes": np.array([[1, 2, 3]])}
    key = cache.key("codec", 1, [1.5], ("ssim",))
    with pytest.raises(KeyError):
        cache.get(key)
    cache.put(key, arrays)
    for name, values in cache.get(key).items():
        np.testing.assert_array_equal(values, arrays[name])
    assert cache.key("codec", 2, [1.5], ("ssim",)) != key
    with pytest.raises(KeyError):
        ResultCache(tmp_path / "cache", read=False).get(key)


def test_drawn_kinds_and_folders_are_compared_kind_by_kind(
    codec: CountingCodec, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, kept = tmp_path / "out", tmp_path / "kept"
    wanted = ["--codec", "grey", "--baselines", "jpeg", "--targets", "64", "--cache", str(kept)]
    more = ["--out", str(out), "--workers", "1", "--skip", "16", "--first", "16"]
    assert main(["evaluate", "--kind", "other", *wanted, *more]) == 0
    report = capsys.readouterr().out
    assert "## Kind by kind, against JPEG 4:2:0, standard tables" in report
    assert "| drawings (8) | " in report
    assert "| gradients (8) | " in report
    assert list(kept.glob("*.npz"))
    assert not (out / "cache").exists()

    (folder / "a").mkdir()
    (folder / "b").mkdir()
    for index, kind in enumerate("aabb"):
        (folder / f"{index}.png").rename(folder / kind / f"{index}.png")
    assert evaluate(folder, out, *wanted) == 0
    assert "| a (2) | " in capsys.readouterr().out


def test_a_paper_s_system_stands_beside_the_printed_table(
    codec: CountingCodec, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    object.__setattr__(codec, "name", "conv-lstm")
    wanted = ["--codec", "conv-lstm", "--baselines", "jpeg", "--header-less"]
    assert evaluate(folder, tmp_path / "out", *wanted, "--targets", "64,128") == 0
    assert "## Pictures 0..3, beside the paper's table" in capsys.readouterr().out
    assert evaluate(folder, tmp_path / "out", *wanted, "--targets", "64,96") == 0
    assert "beside the paper" not in capsys.readouterr().out


def test_all_are_those_that_are_loaded_where_none_is_named(folder: Path, tmp_path: Path) -> None:
    from service.cli.evaluate import load_subjects
    from service.codec.registry import usual

    shipped = Path(service.cli.evaluate.__file__).parents[2] / "models" / "artifacts"
    arguments = Namespace(artifacts=shipped, codec=("all",), effort=(), device="cpu")
    assert tuple(one.codec.name for one in load_subjects(arguments)) == usual(shipped)


def test_a_picture_that_does_not_open_is_named_and_the_rest_is_measured(
    codec: CountingCodec, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "2.png").write_bytes(b"no picture")
    wanted = ["--codec", "grey", "--baselines", "none", "--targets", "64"]
    assert evaluate(folder, tmp_path / "out", *wanted) == 1
    said = capsys.readouterr()
    assert "3 pictures of 32x32" in said.out
    assert "2.png" in said.err
    assert "left out" in said.err
    for rest in ("0.png", "1.png", "3.png"):
        (folder / rest).write_bytes(b"no picture")
    assert evaluate(folder, tmp_path / "none", *wanted) == 2
    assert "no picture that can be read" in capsys.readouterr().err
