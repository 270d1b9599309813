"""One codec at several encoder efforts, each evaluated as a codec of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, get_args, runtime_checkable

from service.codec.interface import Codec, Effort, Encoded, Inspection, Pixels
from service.codec.registry import load_codecs
from service.errors import ConfigurationError
from service.inference import Runtime


@runtime_checkable
class Adjustable(Protocol):
    """A codec whose encoder can do more or less; ``effort`` is what it was loaded with."""

    effort: Effort


class AtEffort:
    """A codec that was loaded with an effort, under the name ``codec@effort``."""

    def __init__(self, codec: Codec, effort: Effort) -> None:
        self._codec = codec
        self.name = f"{codec.name}@{effort}"
        self.wire_id, self.version = codec.wire_id, codec.version
        self.minimum_bytes, self.maximum_bytes = codec.minimum_bytes, codec.maximum_bytes
        self.picture_size = codec.picture_size

    def encode(self, pictures: Pixels, aspects: Sequence[float]) -> list[Encoded]:
        """Encode uint8 [N, H, W, 3] at the effort."""
        return self._codec.encode(pictures, aspects)

    def streams(self, pictures: Pixels, aspects: Sequence[float]) -> list[bytes]:
        """The streams of ``encode``."""
        return self._codec.streams(pictures, aspects)

    def decode(self, streams: Sequence[bytes]) -> list[Pixels]:
        """Paint any prefixes. Raises CodecError, and nothing else."""
        return self._codec.decode(streams)

    def inspect(self, stream: bytes) -> Inspection:
        """Read a stream's structure. Raises CodecError, and nothing else."""
        return self._codec.inspect(stream)


def load_at_efforts(
    artifacts: Path, names: Sequence[str], runtime: Runtime, efforts: Sequence[str]
) -> list[tuple[str, Codec]]:
    """Artifacts' names and their codecs, as ``load_codecs`` finds them.

    A codec that has efforts comes once for each of ``efforts``; without any, or where it has none,
    once. Raises ConfigurationError for an effort that there is not.
    """
    wanted: list[Effort] = [known for known in get_args(Effort) if known in efforts]
    if len(wanted) < len(efforts):
        raise ConfigurationError(
            f"an effort is one of {', '.join(get_args(Effort))}, not {', '.join(efforts)}"
        )
    if not wanted:
        return list(load_codecs(artifacts, names, runtime).items())
    loaded = {effort: load_codecs(artifacts, names, runtime, effort) for effort in wanted}
    found: list[tuple[str, Codec]] = []
    for name, codec in loaded[wanted[0]].items():
        if isinstance(codec, Adjustable):
            found += [(name, AtEffort(loaded[effort][name], effort)) for effort in wanted]
        else:
            found.append((name, codec))
    return found
