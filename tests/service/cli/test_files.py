"""encode, decode and inspect: files in, files out, each failure named, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from service.cli import decode, encode, inspect
from service.cli.files import progress
from service.cli.main import main
from service.codec.artifact import read
from service.codec.header import parse_header
from service.errors import ConfigurationError
from service.settings import packaged_artifacts
from tests.support.codec import DEFAULT, GreyCodec, RawPhotoCodec
from tests.support.photos import crops, encoded


class TestsCodecs:
    """Those of tests, in the place of ``files.Codecs``."""

    __test__ = False
    loaded = (GreyCodec(), RawPhotoCodec())

    def __init__(self, _arguments: object) -> None:
        pass

    def named(self, name: str):
        for codec in self.loaded:
            if codec.name == name:
                return codec
        raise ConfigurationError(f"no codec {name!r}")

    def of(self, stream: bytes):
        wire_id = parse_header(stream).wire_id
        return {codec.wire_id: codec for codec in self.loaded}[wire_id]


@pytest.fixture(autouse=True)
def codecs(monkeypatch):
    """The tests' codecs in the place of the artifacts."""
    for module in (encode, decode, inspect):
        monkeypatch.setattr(module, "Codecs", TestsCodecs)


@pytest.fixture
def photos(tmp_path: Path):
    made = []
    for index, crop in enumerate(crops(3, size_range=(90, 90))):
        made.append(tmp_path / f"photo{index}.jpg")
        made[-1].write_bytes(encoded("jpeg", crop.crop((0, 0, 90, 45))))
    return made


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_photos_become_streams_and_streams_pictures(photos, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    assert run("encode", *photos, "-o", out, "--bytes", 64) == 0
    streams = sorted(out.iterdir())
    assert [stream.name for stream in streams] == ["photo0.pxl", "photo1.pxl", "photo2.pxl"]
    assert {stream.stat().st_size for stream in streams} == {64}
    assert capsys.readouterr().out.count("64 of 258 bytes, SSIM 0.590") == 3
    assert run("decode", *streams, "-o", out, "--format", "webp", "--size", 128) == 0
    with Image.open(out / "photo1.webp") as picture:
        assert (picture.format, picture.size) == ("WEBP", (128, 64))


def test_a_prefix_is_the_beginning_of_the_whole(photos, tmp_path):
    run("encode", photos[0], "-o", tmp_path / "cut", "--bytes", 50)
    run("encode", photos[0], "-o", tmp_path / "whole", "--codec", DEFAULT)
    cut, whole = ((tmp_path / name / "photo0.pxl").read_bytes() for name in ("cut", "whole"))
    assert (len(whole), whole[:50]) == (258, cut)


def test_without_a_size_a_picture_is_as_the_codec_paints_it(photos, tmp_path):
    run("encode", photos[0], "-o", tmp_path)
    run("decode", tmp_path / "photo0.pxl", "-o", tmp_path)
    with Image.open(tmp_path / "photo0.png") as picture:
        assert picture.size == (32, 32)


def test_inspect_shows_header_chunks_and_sizes(photos, tmp_path, capsys):
    run("encode", photos[0], "-o", tmp_path, "--bytes", 40)
    capsys.readouterr()
    assert run("inspect", tmp_path / "photo0.pxl") == 0
    said = capsys.readouterr().out
    assert f"{DEFAULT}, wire id 31, version 0" in said
    assert "aspect   2.000" in said
    assert "40 bytes, a prefix" in said
    assert [line.split()[:2] for line in said.splitlines()[-3:]] == [
        ["2", "16"],
        ["18", "16"],
        ["34", "6"],
    ]


def test_photos_keep_their_size_and_are_cut_by_bits_a_pixel(photos, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    photos[0].rename(folder / "photo0.jpg")
    (folder / "notes.txt").write_text("not a photo")
    assert run("encode", folder, "-o", tmp_path, "--codec", "raw-photo", "--bpp", 8) == 0
    assert (tmp_path / "photo0.pxl").stat().st_size == 90 * 45
    for size, expected in ((None, (90, 45)), (40, (40, 20)), (180, (180, 90))):
        more = () if size is None else ("--size", size)
        stream = tmp_path / "photo0.pxl"
        assert run("decode", stream, "-o", tmp_path, "--format", "avif", *more) == 0
        with Image.open(tmp_path / "photo0.avif") as picture:
            assert picture.size == expected
    short = ("--codec", "raw-photo", "--bpp", 0.001)
    assert run("encode", folder, "-o", tmp_path, *short) == 1


def test_a_thumbnail_is_not_enlarged_beyond_its_bound(photos, tmp_path, capsys):
    run("encode", photos[0], "-o", tmp_path)
    assert run("decode", tmp_path / "photo0.pxl", "-o", tmp_path, "--size", 513) == 1
    assert "1 to 512" in capsys.readouterr().err


def test_standard_input_becomes_standard_output(photos, tmp_path, capfdbinary, monkeypatch):
    """The way of a pipe, and its output is nothing but the result."""

    def piped(data, *arguments):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(data)))
        assert run(*arguments) == 0
        said = capfdbinary.readouterr()
        return said.out, said.err

    stream, said = piped(photos[0].read_bytes(), "encode", "-", "--bytes", 50)
    assert len(stream) == 50
    assert b"50 of 258 bytes" in said
    picture, _ = piped(stream, "decode", "-", "-o", "-", "--format", "webp", "--size", 64)
    with Image.open(BytesIO(picture)) as painted:
        assert (painted.format, painted.size) == ("WEBP", (64, 32))
    text, _ = piped(stream, "inspect", "-")
    assert b"50 bytes, a prefix" in text
    assert run("encode", photos[0], "-o", "-") == 0
    assert len(capfdbinary.readouterr().out) == 258


def test_one_bad_file_is_named_and_the_others_go_on(photos, tmp_path, capsys):
    photos[1].write_bytes(b"not a picture")
    gone = tmp_path / "gone.jpg"
    assert run("encode", *photos, gone, "-o", tmp_path) == 1
    said = capsys.readouterr().err
    assert str(photos[1]) in said
    assert str(gone) in said
    assert (tmp_path / "photo2.pxl").exists()
    (tmp_path / "bad.pxl").write_bytes(b"\x00\x00")
    streams = [tmp_path / name for name in ("bad.pxl", "photo0.pxl")]
    assert run("decode", *streams, "-o", tmp_path) == 1
    assert "wire id 0" in capsys.readouterr().err
    assert (tmp_path / "photo0.png").exists()
    assert run("inspect", tmp_path / "bad.pxl") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "PHOTO", "--bytes", "1"),
        ("encode", "PHOTO", "--codec", "nope"),
        ("encode", "nothing*.jpg"),
        ("decode", "PHOTO", "--size", "4097"),
        ("encode", "PHOTO", "--bpp", "1"),
        ("encode", "PHOTO", "-", "-o", "-"),
        ("encode", "PHOTO", "-o", "PHOTO"),
    ],
)
def test_wrong_use_is_2_in_one_line(photos, tmp_path, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    filled = [photos[0] if one == "PHOTO" else one for one in arguments]
    assert run(*filled) == 2
    said = capsys.readouterr().err
    assert said.startswith("prefixel: ")
    assert said.count("\n") == 1


def test_folders_keep_their_tree_and_patterns_are_matched(photos, tmp_path, monkeypatch):
    deep = tmp_path / "album" / "2026" / "may"
    deep.mkdir(parents=True)
    photos[0].rename(deep / "photo0.jpg")
    photos[1].rename(tmp_path / "album" / "photo1.jpg")
    assert run("encode", tmp_path / "album", "-o", tmp_path / "out") == 0
    streams = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.pxl")}
    assert streams == {Path("2026/may/photo0.pxl"), Path("photo1.pxl")}
    assert run("decode", tmp_path / "out", "-o", tmp_path / "shown") == 0
    assert (tmp_path / "shown" / "2026" / "may" / "photo0.png").exists()
    monkeypatch.chdir(tmp_path)
    assert run("encode", "phot*.jpg", "album/**/*.jpg", "-o", "matched") == 0
    assert {path.name for path in (tmp_path / "matched").iterdir()} == {
        "photo0.pxl",
        "photo1.pxl",
        "photo2.pxl",
    }


def test_of_one_name_the_second_keeps_its_suffix_and_that_is_said(photos, tmp_path, capsys):
    for name in ("a/photo0.jpg", "b/photo0.jpg", "b/photo0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(photos[0].read_bytes())
    files = [tmp_path / name for name in ("a/photo0.jpg", "b/photo0.jpg", "b/photo0.png")]
    out = tmp_path / "out"
    assert run("encode", *files, files[0], "-o", out) == 0
    names = {path.name for path in out.iterdir()}
    assert names == {"photo0.pxl", "photo0.jpg.pxl", "photo0.png.pxl"}
    assert f"{files[1]} becomes {out / 'photo0.jpg.pxl'}" in capsys.readouterr().err


def test_json_is_an_object_a_line(photos, tmp_path, capsys):
    def said(*arguments):
        assert run(*arguments, "--json") == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    made = said("encode", *photos, "-o", tmp_path, "--bytes", 64)
    assert [one["bytes"] for one in made] == [64] * 3
    assert (made[0]["whole_bytes"], made[0]["source"]) == (258, str(photos[0]))
    found = said("inspect", *(one["target"] for one in made))
    assert [one["total_bytes"] for one in found] == [64] * 3
    assert found[0]["chunks"][0] == {"label": "header", "offset_bytes": 0, "length_bytes": 2}
    shown = said("decode", made[0]["target"], "-o", tmp_path)
    assert Path(shown[0]["target"]).stat().st_size == shown[0]["bytes"]


def test_a_closed_pipe_is_no_traceback(photos, tmp_path):
    stream = str(tmp_path / "photo0.pxl")
    run("encode", photos[0], "-o", tmp_path, "--codec", "raw-photo")
    code = (
        "import sys; from service.cli import inspect; from service.cli.main import main;"
        "from tests.service.cli.test_files import TestsCodecs; inspect.Codecs = TestsCodecs;"
        "sys.exit(main(['inspect', *sys.argv[1:]]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, stream], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_is_told_what_completes(shell, capsys):
    with pytest.raises(SystemExit) as ended:
        run("--print-completion", shell)
    assert ended.value.code == 0
    assert "--bpp" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [("encode",), ("encode", "x", "--background", "red"), ("decode", "x", "--format", "gif")],
)
def test_arguments_that_do_not_parse_are_2(arguments):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2


def test_a_source_is_never_overwritten(photos, tmp_path, capsys):
    stream = tmp_path / "a.png"
    stream.write_bytes(b"precious")
    assert run("decode", stream, "-o", tmp_path) == 2
    assert stream.read_bytes() == b"precious"


@pytest.mark.parametrize("command", ["encode", "decode", "inspect"])
def test_help_tells_the_arguments_and_the_exit_codes(command, capsys):
    with pytest.raises(SystemExit) as ended:
        run(command, "--help")
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Exit codes:" in " ".join(said.split())
    assert "--artifacts" in said


def test_a_bar_ends_with_its_work(capsys):
    with progress(2, "working") as done:
        done()
        done()
    assert capsys.readouterr().out == ""


def test_the_help_of_the_whole_loads_nothing_heavy():
    code = (
        "import sys; from service.cli.main import parser; parser();"
        "print([name for name in ('numpy', 'PIL', 'fastapi', 'onnxruntime', 'rich') "
        "if name in sys.modules])"
    )
    run_ = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run_.stdout.strip() == "[]"


def test_the_installed_command_and_the_real_codec(photos, tmp_path):
    """The whole way through the artifacts, as a user runs it."""
    command = [sys.executable, "-m", "service.cli.main"]
    subprocess.run(
        [*command, "encode", photos[0], "-o", tmp_path, "--bytes", "64"], check=True, timeout=100
    )
    stream = (tmp_path / "photo0.pxl").read_bytes()
    wire_id = read(packaged_artifacts() / DEFAULT).manifest.wire_id
    assert (len(stream), stream[0] >> 3) == (64, wire_id)
    subprocess.run(
        [*command, "decode", tmp_path / "photo0.pxl", "-o", tmp_path], check=True, timeout=100
    )
    with Image.open(tmp_path / "photo0.png") as picture:
        assert picture.size == (32, 32)
    shown = subprocess.run(
        [*command, "inspect", tmp_path / "photo0.pxl"],
        check=True,
        timeout=100,
        capture_output=True,
        text=True,
    )
    assert DEFAULT in shown.stdout
