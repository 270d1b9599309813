"""What the sub-commands on files share: codecs, destinations, a progress bar, errors by file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from service.errors import CodecError, ConfigurationError, PrefixelError

if TYPE_CHECKING:
    import argparse

    from service.codec.interface import Codec

PATIENCE_SECONDS = 1.0
STANDARD = Path("-")
"""Standard input, or output."""


def add_codec_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the codecs come from and where they run."""
    parser.add_argument(
        "--artifacts", type=Path, metavar="DIR", help="artifacts (PREFIXEL_ARTIFACTS_PATH)"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="where networks run (PREFIXEL_DEVICE)"
    )


class Codecs:
    """The codecs as settings and arguments say; each is loaded when it is first needed."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises StartupError."""
        from service.codec.registry import encoding_of
        from service.inference import Runtime
        from service.settings import read_settings

        settings = read_settings()
        self._runtime = Runtime(arguments.device or settings.device, settings.inference_threads)
        self._folder = arguments.artifacts or settings.artifacts()
        self._how = encoding_of(settings)
        if effort := getattr(arguments, "effort", None):
            self._how = replace(self._how, effort=effort, photo_effort=effort)
        self._names = settings.codecs
        self._loaded: dict[str, Codec] = {}

    def named(self, name: str) -> Codec:
        """Raises ConfigurationError for one that is not there, ArtifactError for a damaged one."""
        from service.codec.registry import load_codecs

        if self._names and name not in self._names:
            raise ConfigurationError(f"no codec {name!r}; there are: {', '.join(self._names)}")
        if name not in self._loaded:
            self._loaded |= load_codecs(self._folder, [name], self._runtime, self._how)
        return self._loaded[name]

    def of(self, stream: bytes) -> Codec:
        """The codec that a stream's header names. Raises CodecError, StartupError."""
        from service.codec.header import parse_header
        from service.codec.registry import names_by_wire_id
        from service.pictures.sniff import instead_of_stream

        try:
            wire_id = parse_header(stream).wire_id
        except CodecError as error:
            raise instead_of_stream(stream, error) from error
        name = names_by_wire_id(self._folder, self._names).get(wire_id)
        if name is None:
            missing = CodecError(f"no codec of wire id {wire_id} is installed")
            raise instead_of_stream(stream, missing)
        return self.named(name)


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or standard input; ``name`` is where its result goes under a folder, with subfolders
    of the folder that was named."""

    path: Path
    name: Path


def sources_of(named: Sequence[Path], suffixes: Collection[str]) -> list[Source]:
    """Those that were named, each once, and in the place of a folder its files with these suffixes,
    those of subfolders too, sorted. A pattern (``photos/*.jpg``) means what it matches.

    Raises ConfigurationError for a folder or a pattern without any.
    """
    found: dict[Path, Source] = {}
    for path in named:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes)
            if not inside:
                raise ConfigurationError(f"{path} holds no file of {', '.join(sorted(suffixes))}")
            several = [Source(file, file.relative_to(path)) for file in inside]
        elif has_magic(str(path)) and not path.exists():
            matched = sorted(map(Path, glob(str(path), recursive=True)))  # noqa: PTH207 - a pattern, not of a folder
            if not matched:
                raise ConfigurationError(f"nothing matches {path}")
            several = [Source(file, Path(file.name)) for file in matched if file.is_file()]
        else:
            several = [Source(path, Path("stdin" if path == STANDARD else path.name))]
        for source in several:
            found.setdefault(source.path, source)
    return list(found.values())


def destinations(sources: Sequence[Source], out: Path | None, suffix: str) -> list[Path]:
    """Where each result goes: a file below a folder that is made, or ``STANDARD``.

    ``out`` is None where none was named: then it is ``STANDARD`` for that source, else here. Of two
    sources of one name the second keeps its own suffix too, and that is said. A result in the place
    of a source is refused before any work. Raises ConfigurationError.
    """
    if out == STANDARD or (out is None and [one.path for one in sources] == [STANDARD]):
        if len(sources) > 1:
            raise ConfigurationError(f"{len(sources)} results do not go to standard output")
        return [STANDARD]
    folder = Path() if out is None else out
    found: dict[Path, Source] = {}
    for source in sources:
        wanted = target = folder / source.name.with_suffix(suffix)
        number = 1
        while target in found:
            more = "" if number == 1 else f"-{number}"
            target, number = folder / f"{source.name}{more}{suffix}", number + 1
        if target != wanted:
            told = f"{source.path} becomes {target}, since {wanted} is {found[wanted].path}"
            print(f"prefixel: {told}", file=sys.stderr)
        if target.resolve() == source.path.resolve():
            raise ConfigurationError(f"{source.path} would be overwritten; choose another -o")
        found[target] = source
    try:
        for parent in {target.parent for target in found}:
            parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise ConfigurationError(f"cannot make the folder {folder}: {wrong.strerror}") from wrong
    return list(found)


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """What is said of each file, for programs."""
    parser.add_argument("--json", action="store_true", help="a JSON object a line for each file")


def read(source: Path) -> bytes:
    """A file, or standard input. Raises OSError."""
    return sys.stdin.buffer.read() if source == STANDARD else source.read_bytes()


def write(target: Path, data: bytes, text: str, facts: dict[str, object] | None) -> None:
    """A file, or standard output, which then holds nothing else; then ``text``, or in its place
    ``facts`` as JSON. Raises OSError.
    """
    said = text if facts is None else json.dumps(facts)
    if target == STANDARD:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        print(said, file=sys.stderr)
    else:
        target.write_bytes(data)
        print(said)


@contextmanager
def progress(total: int, label: str) -> Iterator[Callable[[], None]]:
    """A bar on stderr that shows itself when the work takes longer than a second.

    Yields what is called after each item.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bar = Progress(
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    task = bar.add_task(label, total=total)
    timer = Timer(PATIENCE_SECONDS, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda: bar.advance(task)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


class Failures:
    """Tells of each file that failed, and counts; the others go on."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def of(self, source: Path) -> Iterator[None]:
        """Whatever is wrong with this file ends its own work only."""
        try:
            yield
        except PrefixelError as failed:
            self._tell(source, failed.detail)
        except BrokenPipeError:  # not the file's fault
            raise
        except OSError as failed:
            self._tell(source, failed.strerror or type(failed).__name__)

    def _tell(self, source: Path, text: str) -> None:
        self.count += 1
        print(f"prefixel: {source}: {text}", file=sys.stderr)

    def left_out(self, error: ConfigurationError) -> None:
        """Tell of a file that is left out of a whole; its error names it."""
        self.count += 1
        print(f"prefixel: {error}; it is left out", file=sys.stderr)

    @property
    def code(self) -> int:
        """The exit code: 1 when anything failed."""
        return 1 if self.count else 0
