"""Several versions of one codec as one: the newest encodes, each decodes its own streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from service.codec.geometry import Size
from service.codec.header import StreamHeader, parse_header
from service.codec.interface import Codec, Effort, Encoded, Inspection, Level, header_of
from service.codec.pixels import Pixels
from service.errors import ArtifactError

T = TypeVar("T")


class VersionedCodec:
    """A codec whose versions are all loaded. Thread-safe, as each of them is.

    What a stream's header says decides who reads it; all that makes streams is the newest's.
    ``versions`` are ascending.
    """

    def __init__(self, versions: Sequence[Codec]) -> None:
        """Raises ArtifactError where they are not versions of one codec."""
        self.versions = tuple(sorted(versions, key=lambda codec: codec.version))
        self._newest = newest = self.versions[-1]
        self._readers: dict[int, Codec] = {}
        for codec in self.versions:
            _hold_together(codec, newest)
            for version in codec.readable_versions:
                if version in self._readers:
                    raise ArtifactError(f"two artifacts of {codec.name} read version {version}")
                self._readers[version] = codec
        self.name, self.wire_id, self.version = newest.name, newest.wire_id, newest.version
        self.kind, self.picture_size = newest.kind, newest.picture_size
        self.efforts, self.effort = newest.efforts, newest.effort
        self.artifact_sha256 = newest.artifact_sha256
        self.readable_versions = frozenset(self._readers)
        self.minimum_bytes = max(codec.minimum_bytes for codec in self.versions)
        self.maximum_bytes = max(codec.maximum_bytes for codec in self.versions)

    def _reader(self, stream: bytes) -> Codec:
        """Who reads a stream. Raises CodecError where nobody here does."""
        try:
            return self._readers[parse_header(stream).version]
        except KeyError:
            header_of(self, stream)
            raise

    def header(self, prefix: bytes) -> StreamHeader:
        """By its version. Raises CodecError."""
        return self._reader(prefix).header(prefix)

    def cost(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """Of encoding the newest's; of decoding the most that any version takes."""
        if prefix_bytes is None:
            return self._newest.cost(size)
        return max(codec.cost(size, prefix_bytes, of) for codec in self.versions)

    def memory(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """As ``cost``."""
        if prefix_bytes is None:
            return self._newest.memory(size)
        return max(codec.memory(size, prefix_bytes, of) for codec in self.versions)

    def encode(
        self, pictures: Sequence[Pixels], aspects: Sequence[float], effort: Effort | None = None
    ) -> list[Encoded]:
        """Streams of the newest version."""
        return self._newest.encode(pictures, aspects, effort)

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """Each by its version."""
        return self._each(
            streams, lambda codec, at: codec.measure(_of(pictures, at), _of(streams, at))
        )

    def coded_size(self, size: Size) -> Size:
        """The newest's."""
        return self._newest.coded_size(size)

    def measured_size(self, size: Size) -> Size:
        """The newest's."""
        return self._newest.measured_size(size)

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> list[Pixels]:
        """Each by its version, in the order given. Raises CodecError."""
        return self._each(prefixes, lambda codec, at: codec.decode(_of(prefixes, at), size))

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """By its version. Raises CodecError."""
        return self._reader(stream).decode_cuts(stream, cuts)

    def inspect(self, stream: bytes) -> Inspection:
        """By its version. Raises CodecError."""
        return self._reader(stream).inspect(stream)

    def _each(
        self, streams: Sequence[bytes], work: Callable[[Codec, Sequence[int]], list[T]]
    ) -> list[T]:
        """``work`` once a version, with the places of its streams; results in their order."""
        places: dict[int, list[int]] = {}
        for place, stream in enumerate(streams):
            places.setdefault(self._reader(stream).version, []).append(place)
        done: dict[int, T] = {}
        for version, mine in places.items():
            done.update(zip(mine, work(self._readers[version], mine), strict=True))
        return [done[place] for place in range(len(streams))]


def every_version(codec: Codec) -> tuple[Codec, ...]:
    """The versions that a codec is made of, or itself."""
    return codec.versions if isinstance(codec, VersionedCodec) else (codec,)


def _of(items: Sequence[T], places: Sequence[int]) -> list[T]:
    return [items[place] for place in places]


def _hold_together(codec: Codec, newest: Codec) -> None:
    ours = (codec.name, codec.wire_id, codec.kind, codec.picture_size)
    theirs = (newest.name, newest.wire_id, newest.kind, newest.picture_size)
    if ours != theirs:
        raise ArtifactError(
            f"version {codec.version} of {codec.name} (wire id {codec.wire_id}) and version"
            f" {newest.version} of {newest.name} (wire id {newest.wire_id}) are not one codec"
        )
