"""What the sub-commands on files share: codecs, destinations, a progress bar, errors by file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
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
        from service.codec.registry import Encoding
        from service.inference import Runtime
        from service.settings import read_settings

        settings = read_settings()
        self._runtime = Runtime(arguments.device or settings.device, settings.inference_threads)
        self._folder = arguments.artifacts or settings.artifacts()
        effort = getattr(arguments, "effort", None) or settings.effort
        self._how = Encoding(effort, settings.photo_bpp)
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

        wire_id = parse_header(stream).wire_id
        name = names_by_wire_id(self._folder, self._names).get(wire_id)
        if name is None:
            raise CodecError(f"no codec of wire id {wire_id} is installed")
        return self.named(name)


def sources_of(named: Sequence[Path], suffixes: Collection[str]) -> list[Path]:
    """Those that were named, and in the place of a folder its files with these suffixes, sorted.

    Raises ConfigurationError for a folder without any.
    """
    found: list[Path] = []
    for source in named:
        if not source.is_dir():
            found.append(source)
            continue
        inside = sorted(path for path in source.iterdir() if path.suffix.lower() in suffixes)
        if not inside:
            raise ConfigurationError(f"{source} holds no file of {', '.join(sorted(suffixes))}")
        found += inside
    return found


def destinations(sources: Sequence[Path], out: Path | None, suffix: str) -> list[Path]:
    """Where each result goes: a file in a folder that is made, or ``STANDARD``.

    ``out`` is None where none was named: then it is ``STANDARD`` for that source, else here. Two
    sources of one name, or a result in the place of a source, are refused before any work.
    Raises ConfigurationError.
    """
    if out == STANDARD or (out is None and list(sources) == [STANDARD]):
        if len(sources) > 1:
            raise ConfigurationError(f"{len(sources)} results do not go to standard output")
        return [STANDARD]
    folder = Path() if out is None else out
    found: dict[Path, Path] = {}
    for source in sources:
        if source == STANDARD:
            source = Path("stdin")
        target = folder / f"{source.stem}{suffix}"
        if target in found:
            raise ConfigurationError(f"{found[target]} and {source} would both become {target}")
        if target.resolve() == source.resolve():
            raise ConfigurationError(f"{source} would be overwritten; choose another -o")
        found[target] = source
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise ConfigurationError(f"cannot make the folder {folder}: {wrong.strerror}") from wrong
    return list(found)


def read(source: Path) -> bytes:
    """A file, or standard input. Raises OSError."""
    return sys.stdin.buffer.read() if source == STANDARD else source.read_bytes()


def write(target: Path, data: bytes, said: str) -> None:
    """A file, or standard output, which then holds nothing else. Raises OSError."""
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
        except OSError as failed:
            self._tell(source, failed.strerror or type(failed).__name__)

    def _tell(self, source: Path, text: str) -> None:
        self.count += 1
        print(f"prefixel: {source}: {text}", file=sys.stderr)

    @property
    def code(self) -> int:
        """The exit code: 1 when anything failed."""
        return 1 if self.count else 0
