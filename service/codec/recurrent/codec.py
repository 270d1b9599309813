"""Recurrent codecs: a fixed number of raw bits an iteration, each iteration a better picture.

    encode   r_0 = x;  bits_t = E(r_{t-1}, states);  x_t = D(bits_t, states);  r_t = x - x_t
    decode   x_t = D(bits_t, states), as far as the prefix reaches

A system that predicts residuals fits too: the picture so far is one of its decoder's states, and so
is the number of the step where each has its own weights. An autoencoder is one iteration.
The parse knows no number but the length of the stream: bit k of chunk t is the same bit whatever
the pictures are. Bits that a cut chunk lacks are fed as 0, neither +1 nor -1 (Johnston et al. 2017,
section 3.4). Source: Toderici et al. 2015, section 3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from service.codec.artifact import Artifact
from service.codec.geometry import THUMB_SIDE, Size
from service.codec.header import HEADER_BYTES, StreamHeader, pack_header
from service.codec.interface import (
    KMAC_COST,
    Chunk,
    Effort,
    Encoded,
    Inspection,
    Kind,
    Level,
    header_of,
)
from service.codec.pixels import Pixels, thumbnails
from service.errors import ArtifactError
from service.inference import Runtime, Session
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

LARGEST_BATCH = 64
FROM_BYTE = 1.8 / 255
_TO_BYTE = 255 / 1.8
Floats = NDArray[np.float32]


class RecurrentCodec:
    """One artifact of the family, loaded. Thread-safe: every call has its own states."""

    kind: Kind = "thumb"
    picture_size: int | None = THUMB_SIDE
    efforts: tuple[Effort, ...] = ("default",)
    effort: Effort = "default"

    def __init__(self, artifact: Artifact, runtime: Runtime) -> None:
        """Raises ArtifactError when a graph is missing or its bits do not fit whole bytes."""
        manifest = artifact.manifest
        self.artifact = artifact
        self.artifact_sha256: str | None = artifact.sha256
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        self.readable_versions = frozenset((self.version,))
        self._kmac = manifest.kmac_per_pixel
        if manifest.iterations is None or manifest.bits_shape is None:
            raise ArtifactError(f"{self.name}: the manifest lacks iterations or bits_shape")
        self._iterations, self._shape = manifest.iterations, manifest.bits_shape
        bits = int(np.prod(self._shape))
        if bits % 8:
            raise ArtifactError(f"{self.name}: {bits} bits an iteration are not whole bytes")
        self._chunk_bytes = bits // 8
        self._order = bit_order(self._shape)
        self._encoder = runtime.session(artifact.network("encoder"))
        self._decoder = runtime.session(artifact.network("decoder"))
        if runtime.device_name != "cpu":
            for session in (self._encoder, self._decoder):
                session.warm_up(range(1, LARGEST_BATCH + 1))
        self.minimum_bytes = HEADER_BYTES
        self.maximum_bytes = HEADER_BYTES + self._iterations * self._chunk_bytes

    def header(self, prefix: bytes) -> StreamHeader:
        """The header of a prefix. Raises CodecError for one that is not to be decoded here."""
        return header_of(self, prefix)

    def cost(
        self,
        size: Size,
        prefix_bytes: int | None = None,
        of: Size | None = None,  # noqa: ARG002 - thumbnails have one size
    ) -> int:
        """By the networks' work; a prefix has as many iterations as it reaches into."""
        if prefix_bytes is None:
            kmac = self._kmac.get("encode", 1.0)
        else:
            iterations = min(self._needed(prefix_bytes), self._iterations)
            kmac = self._kmac.get("decode", 1.0) * iterations / self._iterations
        return max(1, round(size.pixels * kmac * KMAC_COST))

    def memory(
        self,
        size: Size,  # noqa: ARG002 - thumbnails have one
        prefix_bytes: int | None = None,  # noqa: ARG002
        of: Size | None = None,  # noqa: ARG002
    ) -> int:
        """Next to nothing."""
        return 0

    def encode(
        self, pictures: Sequence[Pixels], aspects: Sequence[float], effort: Effort | None = None
    ) -> list[Encoded]:
        """Whole streams of thumbnails; a level at the end of every chunk falls out of it."""
        if effort not in (None, *self.efforts):
            raise ValueError(f"{self.name} has no effort {effort!r}")
        batch = thumbnails(pictures, aspects)
        return [
            encoded
            for start in range(0, len(batch), LARGEST_BATCH)
            for encoded in self._encode(
                batch[start : start + LARGEST_BATCH], aspects[start : start + LARGEST_BATCH]
            )
        ]

    def _encode(self, pictures: Pixels, aspects: Sequence[float]) -> Iterator[Encoded]:
        count = len(pictures)
        payload = np.empty((count, self._iterations, self._chunk_bytes), np.uint8)
        ssim = np.empty((self._iterations, count))
        decibels = np.empty((self._iterations, count))
        for t, (bits, shown) in enumerate(self.steps(pictures)):
            payload[:, t] = np.packbits(bits.reshape(count, -1)[:, self._order] > 0, axis=1)
            ssim[t], decibels[t] = block_ssim(pictures, shown), psnr(pictures, shown)
        ends = self._ends()
        for n, aspect in enumerate(aspects):
            yield Encoded(
                pack_header(self.wire_id, self.version, aspect) + payload[n].tobytes(),
                tuple(
                    Level(end, float(ssim[t, n]), float(decibels[t, n]))
                    for t, end in enumerate(ends)
                ),
            )

    def _ends(self) -> list[int]:
        """Lengths of the prefixes that end with a chunk."""
        return [HEADER_BYTES + (t + 1) * self._chunk_bytes for t in range(self._iterations)]

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """A level at the end of every chunk, and at that of the stream."""
        ends = self._ends()
        return [
            levels_at(self, picture, stream, {len(stream), *(e for e in ends if e < len(stream))})
            for picture, stream in zip(pictures, streams, strict=True)
        ]

    def coded_size(self, size: Size) -> Size:
        """That of the picture."""
        return size

    def measured_size(self, size: Size) -> Size:
        """That of the picture."""
        return size

    def steps(self, pictures: Pixels) -> Iterator[tuple[Floats, Pixels]]:
        """Each iteration's bits, [N, bits, rows, columns] of -1 and +1, and what they paint.

        ``pictures`` and what is painted are uint8 [N, 32, 32, 3].
        """
        x = pictures.transpose(0, 3, 1, 2).astype(np.float32) * FROM_BYTE - np.float32(0.9)
        residual = x = np.ascontiguousarray(x, np.float32)
        encoder, decoder = RecurrentStage(self._encoder, len(x)), self.decoder(len(x))
        for _ in range(self._iterations):
            bits = encoder.step(residual)
            painted = decoder.step(bits)  # [N, 3, 32, 32], unrounded: the decoder's own picture
            residual = x - painted
            yield bits, to_rgb(painted)

    def decoder(self, batch: int) -> RecurrentStage:
        """A decoder whose states are zero."""
        return RecurrentStage(self._decoder, batch)

    def decode(
        self,
        prefixes: Sequence[bytes],
        size: int | None = None,  # noqa: ARG002 - thumbnails have one
    ) -> list[Pixels]:
        """Paint prefixes of any lengths: uint8 [32, 32, 3] each, in the order given."""
        for prefix in prefixes:
            self.header(prefix)
        pictures: list[Pixels] = [np.empty(0, np.uint8)] * len(prefixes)
        by_length = sorted(range(len(prefixes)), key=lambda n: -len(prefixes[n]))
        for start in range(0, len(by_length), LARGEST_BATCH):
            self._paint(prefixes, by_length[start : start + LARGEST_BATCH], pictures)
        return pictures

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes one after the other: each goes on where the whole chunks before it end."""
        self.header(stream)
        bits = self._bits(stream, self._needed(len(stream)))
        decoder, done = self.decoder(1), 0
        for cut in cuts:
            prefix = stream[:cut]
            last = self._needed(len(prefix)) - 1
            for t in range(done, last):
                decoder.step(bits[None, t])
            done = max(done, last)
            [shown] = to_rgb(decoder.fork().step(self._bits(prefix, last + 1)[None, last]))
            yield shown

    def _paint(self, streams: Sequence[bytes], longest_first: list[int], out: list[Pixels]) -> None:
        """Paint some streams at once; a stream leaves the batch after its last iteration."""
        needed = [self._needed(len(streams[n])) for n in longest_first]
        bits = np.stack([self._bits(streams[n], needed[0]) for n in longest_first])
        decoder = self.decoder(len(longest_first))
        for t in range(needed[0]):
            active = sum(count > t for count in needed)
            painted = decoder.step(bits[:active, t], active)
            ending = [k for k in range(active) if needed[k] == t + 1]
            for k, rgb in zip(ending, to_rgb(painted[ending]), strict=True):
                out[longest_first[k]] = rgb

    def _needed(self, length_bytes: int) -> int:
        """Iterations that a prefix reaches into; a bare header still gives the first picture."""
        return max(1, -(-(length_bytes - HEADER_BYTES) // self._chunk_bytes))

    def _bits(self, stream: bytes, iterations: int) -> Floats:
        """[iterations, bits, rows, columns] of -1, +1, and 0 where the stream has ended."""
        flat = np.zeros((iterations, self._chunk_bytes * 8), np.float32)
        known = np.unpackbits(np.frombuffer(stream, np.uint8, offset=HEADER_BYTES))
        sent = flat.reshape(-1)
        sent[: len(known)] = known.astype(np.float32) * 2 - 1
        bits = np.empty_like(flat)
        bits[:, self._order] = flat
        return bits.reshape(iterations, *self._shape)

    def inspect(self, stream: bytes) -> Inspection:
        """The header and the chunks, the last one perhaps cut."""
        header = header_of(self, stream)
        starts = range(HEADER_BYTES, len(stream), self._chunk_bytes)
        chunks = [
            Chunk(f"iteration {t + 1}", start, min(self._chunk_bytes, len(stream) - start))
            for t, start in enumerate(starts)
        ]
        whole = len(stream) == self.maximum_bytes
        facts = {"iterations": len(chunks), "iterations_at_most": self._iterations}
        return Inspection.of(self, header, stream, chunks, complete=whole, facts=facts)


class CutDecoder(Protocol):
    """What ``levels_at`` needs of a codec."""

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """As in ``Codec``."""
        ...


def levels_at(
    codec: CutDecoder, picture: Pixels, stream: bytes, cuts: Collection[int]
) -> tuple[Level, ...]:
    """What the prefixes of these lengths are worth, in ascending order."""
    ends = sorted(cuts)
    levels = []
    for end, shown in zip(ends, codec.decode_cuts(stream, ends), strict=True):
        ssim, decibels = block_ssim(picture[None], shown[None]), psnr(picture[None], shown[None])
        levels.append(Level(end, float(ssim[0]), float(decibels[0])))
    return tuple(levels)


class RecurrentStage:
    """Encoder or decoder with the states of one batch, zero at the start."""

    def __init__(self, session: Session, batch: int, rows: int = 0, columns: int = 0) -> None:
        """``rows`` and ``columns`` of bits where the graph leaves them free."""
        self._session = session
        first, *states = session.inputs
        self._input, self._names = first.name, [tensor.name for tensor in states]
        self._states: list[NDArray[Any]] = [
            np.zeros((batch, *_lengths(tensor.shape, {"h": rows, "w": columns})), np.float32)
            for tensor in states
        ]

    def fork(self) -> Self:
        """A second one that goes on from the same states."""
        return copy(self)

    def step(self, value: Floats, batch: int | None = None) -> Floats:
        """One iteration for the first ``batch`` of the pictures (all, when None)."""
        states = [state[:batch] for state in self._states]
        given = {self._input: value, **dict(zip(self._names, states, strict=True))}
        result, *self._states = self._session.run(given).values()
        return np.asarray(result, np.float32)


def bit_order(shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Which bit of [channels, rows, columns] (flattened) is sent k-th in a chunk.

    Channel by channel; in a channel the positions are spread as in an ordered dither, so that a
    cut chunk has told something everywhere: FORMAT.md, "Order of the bits".
    """
    channels, rows, columns = shape
    across, down = (columns - 1).bit_length(), (rows - 1).bit_length()
    if (1 << across, 1 << down) != (columns, rows) or across != down:
        raise ArtifactError(f"the order of bits is for a square power of two, not {rows}x{columns}")
    order = []
    for channel in range(channels):
        for k in range(rows * columns):
            x = y = 0
            for level in range(across):  # the lowest two bits of k are the coarsest split
                pair = k >> 2 * level & 3
                x |= (pair & 1) << (across - 1 - level)
                y |= ((pair ^ pair >> 1) & 1) << (across - 1 - level)
            order.append((channel * rows + y) * columns + x)
    return np.array(order)


def _lengths(shape: tuple[int | str | None, ...], free: Mapping[str, int]) -> tuple[int, ...]:
    """A state's shape without its batch; "8*h" is eight times the rows of bits."""
    lengths = []
    for length in shape[1:]:
        if isinstance(length, str) and free.get(length.rpartition("*")[2]):
            scale, _, name = length.rpartition("*")
            length = int(scale or 1) * free[name]
        if not isinstance(length, int):
            raise ArtifactError(f"a state has the shape {shape}: only the batch may vary")
        lengths.append(length)
    return tuple(lengths)


def to_rgb(planes: Floats) -> Pixels:
    """Float [N, 3, H, W] in [-0.9, 0.9] -> uint8 [N, H, W, 3]."""
    scaled = np.rint((planes + np.float32(0.9)) * np.float32(_TO_BYTE))
    return np.ascontiguousarray(scaled.clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1))
