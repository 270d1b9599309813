"""What the sub-commands on files share: codecs, destinations, a progress bar, errors by file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from service.errors import CodecError, ConfigurationError, PrefixelError

if TYPE_CHECKING:
    import argparse

    from service.codec.interface import Codec

PATIENCE_SECONDS = 1.0


def add_codec_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the codecs come from and where they run."""
    parser.add_argument(
        "--artifacts", type=Path, metavar="DIR", help="artifacts (PREFIXEL_ARTIFACTS_PATH)"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="where networks run (PREFIXEL_DEVICE)"
    )


def load(arguments: argparse.Namespace) -> dict[str, Codec]:
    """The codecs by name, as settings and arguments say. Raises StartupError."""
    from service.codec.registry import Encoding, load_codecs
    from service.inference import Runtime
    from service.settings import read_settings

    settings = read_settings()
    runtime = Runtime(arguments.device or settings.device, settings.inference_threads)
    folder = arguments.artifacts or settings.artifacts()
    effort = getattr(arguments, "effort", None) or settings.effort
    return load_codecs(folder, settings.codecs, runtime, Encoding(effort, settings.photo_bpp))


def codec_of(codecs: dict[str, Codec], stream: bytes) -> Codec:
    """The codec that a stream's header names. Raises CodecError."""
    from service.codec.header import parse_header

    wire_id = parse_header(stream).wire_id
    for codec in codecs.values():
        if codec.wire_id == wire_id:
            return codec
    raise CodecError(f"no codec of wire id {wire_id} is installed")


def destinations(sources: Sequence[Path], folder: Path, suffix: str) -> list[Path]:
    """Where each result goes, in a folder that is made. Raises ConfigurationError.

    Two sources of one name, or a result in the place of a source, are refused before any work.
    """
    found: dict[Path, Path] = {}
    for source in sources:
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
