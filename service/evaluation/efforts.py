"""One codec at several encoder efforts, each evaluated as a codec of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from service.codec.interface import Codec, Encoded, Inspection, Pixels
from service.errors import ConfigurationError


@runtime_checkable
class Adjustable(Protocol):
    """A codec whose encoder can try harder: ``efforts`` by name, the cheapest first."""

    efforts: tuple[str, ...]

    def encode(self, pictures: Pixels, aspects: Sequence[float], effort: str) -> list[Encoded]:
        """As ``Codec.encode``, at one of ``efforts``."""
        ...


class AtEffort:
    """A codec at one effort, under the name ``codec@effort``. Streams decode as ever."""

    def __init__(self, codec: Codec, adjustable: Adjustable, effort: str) -> None:
        """``codec`` and ``adjustable`` are the same object. Raises ConfigurationError for effort.

        An effort that it has not is refused with those that it has.
        """
        if effort not in adjustable.efforts:
            raise ConfigurationError(
                f"{codec.name} has no effort {effort!r}; it has {', '.join(adjustable.efforts)}"
            )
        self._codec, self._adjustable, self._effort = codec, adjustable, effort
        self.name = f"{codec.name}@{effort}"
        self.wire_id, self.version = codec.wire_id, codec.version
        self.minimum_bytes, self.maximum_bytes = codec.minimum_bytes, codec.maximum_bytes
        self.picture_size = codec.picture_size

    def encode(self, pictures: Pixels, aspects: Sequence[float]) -> list[Encoded]:
        """Encode uint8 [N, H, W, 3] at the effort."""
        return self._adjustable.encode(pictures, aspects, self._effort)

    def decode(self, streams: Sequence[bytes]) -> list[Pixels]:
        """Paint any prefixes. Raises CodecError, and nothing else."""
        return self._codec.decode(streams)

    def inspect(self, stream: bytes) -> Inspection:
        """Read a stream's structure. Raises CodecError, and nothing else."""
        return self._codec.inspect(stream)


def at_efforts(codec: Codec, efforts: Sequence[str]) -> list[Codec]:
    """The codec at every effort; as it is where none are asked for, or it has none.

    Raises ConfigurationError for an effort that it has not.
    """
    if not efforts or not isinstance(codec, Adjustable):
        return [codec]
    return [AtEffort(codec, codec, effort) for effort in efforts]
