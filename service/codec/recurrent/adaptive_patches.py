"""Steps assigned to patches: a patch that is good enough ends, the bits go to the others.

    for each step t: every patch that has not ended says whether it goes on (t > 0), then its bits

A system that codes 8x8 patches alone may stop each of them at a target quality (Toderici et al.
2015, section 3.7). What the assignment costs is in the stream: a range coder writes "goes on" at
odds learned from the picture itself, and the bits at even odds. Flags come step by step, not as a
map in front, so every prefix is a picture. FORMAT.md, "Steps assigned to patches".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from service.codec.artifact import Artifact
from service.codec.entropy.jit import compiled
from service.codec.entropy.range_coder import (
    HALF,
    MARGIN,
    TOTAL,
    UNDECIDED,
    Bytes,
    Decoder,
    Encoder,
    begin,
    finish,
    get_bit,
    new_decoder,
    new_encoder,
    put,
    refilled,
)
from service.codec.geometry import THUMB_SIDE
from service.codec.header import (
    HEADER_BYTES,
    StreamHeader,
    pack_header,
    parse_header,
    truncate,
)
from service.codec.interface import Chunk, Encoded, Inspection, Level, header_of
from service.codec.pixels import Pixels, thumbnails
from service.codec.recurrent.codec import (
    LARGEST_BATCH,
    Floats,
    RecurrentCodec,
    bit_order,
    to_rgb,
)
from service.errors import ArtifactError
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import BLOCK, block_ssim

TARGET_DB = 24.0
Signs = NDArray[np.int8]
Quality = Callable[[Pixels, Pixels], NDArray[np.float64]]
"""Of uint8 [N, 8, 8, 3] and what is painted for it: float [N], more is better."""


class PatchCodec(RecurrentCodec):
    """A system that codes 8x8 patches alone: it writes all steps, and reads assigned ones too.

    ``assigned`` is the codec of the next version, whose streams this one decodes as well.
    """

    def __init__(self, artifact: Artifact, runtime: Runtime) -> None:
        """Raises ArtifactError as RecurrentCodec does, and when the patches are not 4x4."""
        super().__init__(artifact, runtime)
        self.assigned = AdaptivePatchCodec(self)
        self.readable_versions |= self.assigned.readable_versions

    def _is_assigned(self, stream: bytes) -> bool:
        return parse_header(stream).version == self.assigned.version

    def header(self, prefix: bytes) -> StreamHeader:
        """The header of a prefix of either version; the longest stream is its version's."""
        return header_of(self.assigned if self._is_assigned(prefix) else self, prefix)

    def decode(
        self,
        prefixes: Sequence[bytes],
        size: int | None = None,  # noqa: ARG002 - thumbnails have one
    ) -> list[Pixels]:
        """Paint prefixes of both versions: uint8 [32, 32, 3] each, in the order given."""
        others = [self._is_assigned(prefix) for prefix in prefixes]
        pairs = list(zip(prefixes, others, strict=True))
        plain = iter(super().decode([prefix for prefix, other in pairs if not other]))
        assigned = iter(self.assigned.decode([prefix for prefix, other in pairs if other]))
        return [next(assigned if other else plain) for other in others]

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes of a stream of either version."""
        if self._is_assigned(stream):
            return self.assigned.decode_cuts(stream, cuts)
        return super().decode_cuts(stream, cuts)

    def inspect(self, stream: bytes) -> Inspection:
        """The header and the chunks, or what the assignment says."""
        if self._is_assigned(stream):
            return self.assigned.inspect(stream)
        return super().inspect(stream)


class AdaptivePatchCodec:
    """The networks of a patch codec under the version that assigns steps. Thread-safe."""

    def __init__(self, fixed: RecurrentCodec) -> None:
        """Raises ArtifactError when the bits of an iteration are not those of 4x4 patches."""
        manifest = fixed.artifact.manifest
        assert manifest.iterations is not None
        assert manifest.bits_shape is not None
        bits, rows, columns = manifest.bits_shape
        if (rows, columns) != (THUMB_SIDE // BLOCK, THUMB_SIDE // BLOCK):
            raise ArtifactError(f"{manifest.name}: {rows}x{columns} are not a thumbnail's patches")
        self._fixed = fixed
        self.name, self.wire_id, self.version = fixed.name, fixed.wire_id, fixed.version + 1
        self.readable_versions = frozenset((self.version,))
        self._grid = rows
        self._order = bit_order((1, rows, columns))
        self._shape = manifest.iterations, bits, len(self._order)
        self.maximum_bytes = HEADER_BYTES + longest(*self._shape)
        read(new_decoder(), np.zeros(0, np.uint8), np.zeros(self._shape, np.int8))

    def encode(
        self,
        pictures: Sequence[Pixels],
        aspects: Sequence[float],
        target: float = TARGET_DB,
        quality: Quality = psnr,
    ) -> list[Encoded]:
        """Whole streams of thumbnails whose patches end once they reach ``target``.

        ``quality`` measures a patch. A patch that never reaches the target has all steps. There is
        a level for each whole step of the fixed assignment that the stream is longer than, and one
        for the stream.
        """
        batch = thumbnails(pictures, aspects)
        encoded: list[Encoded] = []
        for start in range(0, len(batch), LARGEST_BATCH):
            part = slice(start, start + LARGEST_BATCH)
            encoded += self._encode(batch[part], aspects[part], target, quality)
        return encoded

    def _encode(
        self, pictures: Pixels, aspects: Sequence[float], target: float, quality: Quality
    ) -> list[Encoded]:
        steps, bits, patches = self._shape
        codes, scores = [], []
        originals = self._patches(pictures)
        for code, shown in self._fixed.steps(pictures):
            codes.append(code.reshape(-1, bits, patches)[:, :, self._order])
            scores.append(quality(originals, self._patches(shown)).reshape(-1, patches))
        reached = np.stack(scores) >= target  # [T, N, P]
        needed = np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, steps)
        signs = np.stack(codes, axis=1).astype(np.int8)  # [N, T, bits, P]
        room = np.zeros(self.maximum_bytes, np.uint8)
        streams = [
            pack_header(self.wire_id, self.version, aspect)
            + room[: write(new_encoder(), signs[n], needed[n, self._order], room)].tobytes()
            for n, aspect in enumerate(aspects)
        ]
        return [
            Encoded(stream, tuple(levels))
            for stream, levels in zip(streams, self._levels(pictures, streams), strict=True)
        ]

    def _patches(self, pictures: Pixels) -> Pixels:
        """uint8 [N, 32, 32, 3] -> uint8 [N * 16, 8, 8, 3], row by row."""
        split = pictures.reshape(-1, self._grid, BLOCK, self._grid, BLOCK, 3)
        return split.transpose(0, 1, 3, 2, 4, 5).reshape(-1, BLOCK, BLOCK, 3)

    def _levels(self, pictures: Pixels, streams: Sequence[bytes]) -> list[list[Level]]:
        steps, bits, patches = self._shape
        levels: list[list[Level]] = [[] for _ in streams]
        for t in range(steps + 1):
            length = HEADER_BYTES + (t + 1) * bits * patches // 8 if t < steps else 1 << 30
            shown = np.stack(self.decode([truncate(stream, length) for stream in streams]))
            scores = zip(block_ssim(pictures, shown), psnr(pictures, shown), strict=True)
            for stream, mine, (ssim, decibels) in zip(streams, levels, scores, strict=True):
                level = Level(min(length, len(stream)), float(ssim), float(decibels))
                if not mine or mine[-1].bytes < level.bytes:
                    mine.append(level)
        return levels

    def decode(self, streams: Sequence[bytes]) -> list[Pixels]:
        """Paint prefixes of any lengths: uint8 [32, 32, 3] each, in the order given."""
        for stream in streams:
            header_of(self, stream)
        pictures: list[Pixels] = []
        for start in range(0, len(streams), LARGEST_BATCH):
            pictures += self._paint(streams[start : start + LARGEST_BATCH])
        return pictures

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes, a batch of them at once; each is parsed, which costs next to nothing."""
        for start in range(0, len(cuts), LARGEST_BATCH):
            yield from self.decode([stream[:cut] for cut in cuts[start : start + LARGEST_BATCH]])

    def _paint(self, streams: Sequence[bytes]) -> list[Pixels]:
        bits = self._shape[1]
        known = np.stack([self._known(stream)[0] for stream in streams])  # [N, T, bits, P]
        told = (known != 0).any(axis=2)  # [N, T, P]: the step says something of the patch
        told[:, 0] = True
        values = np.empty(known.shape, np.float32)
        values[..., self._order] = known
        where = np.empty(told.shape, bool)
        where[..., self._order] = told
        square = (self._grid, self._grid)
        decoder = self._fixed.decoder(len(streams))
        shown = np.zeros((len(streams), THUMB_SIDE, THUMB_SIDE, 3), np.uint8)
        for t in range(int(told.any(axis=(0, 2)).sum())):
            painted: Floats = decoder.step(values[:, t].reshape(-1, bits, *square))
            patch = where[:, t].reshape(-1, *square)
            pixels = patch.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)
            shown = np.where(pixels[..., None], to_rgb(painted), shown)
        return list(shown)

    def _known(self, stream: bytes) -> tuple[Signs, bool]:
        """Signs [T, bits, P] of the patches in their order, 0 where not known; whether all are."""
        signs = np.zeros(self._shape, np.int8)
        whole = read(new_decoder(), np.frombuffer(stream, np.uint8, offset=HEADER_BYTES), signs)
        return signs, whole

    def inspect(self, stream: bytes) -> Inspection:
        """The header, and how many steps the prefix holds of the patches, row by row."""
        header = header_of(self, stream)
        signs, whole = self._known(stream)
        counts = np.empty(self._shape[2], np.int64)
        counts[self._order] = (signs != 0).any(axis=1).sum(axis=0)
        payload = [Chunk("steps", HEADER_BYTES, len(stream) - HEADER_BYTES)]
        facts = {"steps_of_patches": [int(count) for count in counts]}
        return Inspection.of(self, header, stream, payload, complete=whole, facts=facts)


def longest(steps: int, bits: int, patches: int) -> int:
    """Bytes that hold any assignment: a flag costs at most the logarithm of how many there are."""
    flags = patches * (steps - 1)
    return -(-(steps * bits * patches + flags * (flags + 2).bit_length()) // 8) + MARGIN


@compiled
def odds(goes: int, ends: int) -> int:
    """Frequency of "goes on" after so many that went on and ended, each counted from 1."""
    return TOTAL * goes // (goes + ends)


@compiled
def write(encoder: Encoder, signs: Signs, needed: NDArray[np.int64], out: Bytes) -> int:
    """Code signs [T, bits, P] of patches that have ``needed`` [P] steps; bytes written."""
    steps, bits, patches = signs.shape
    goes, ends = 1, 1
    for t in range(steps):
        if t > 0:
            for p in range(patches):
                if needed[p] < t:
                    continue
                share = odds(goes, ends)
                if needed[p] > t:
                    encoder = put(encoder, out, 0, share)
                    goes += 1
                else:
                    encoder = put(encoder, out, share, TOTAL - share)
                    ends += 1
        for b in range(bits):
            for p in range(patches):
                if needed[p] > t:
                    encoder = put(encoder, out, 0 if signs[t, b, p] > 0 else HALF, HALF)
    return finish(encoder, out)


@compiled
def read(decoder: Decoder, data: Bytes, signs: Signs) -> bool:
    """Fill ``signs`` [T, bits, P], zero before, with what a payload decides; True if whole."""
    steps, bits, patches = signs.shape
    limit = len(data)
    decoder = begin(decoder, data, limit)
    going = np.ones(patches, np.bool_)
    goes, ends = 1, 1
    for t in range(steps):
        if t > 0:
            for p in range(patches):
                if not going[p]:
                    continue
                symbol, decoder = get_bit(decoder, odds(goes, ends))
                if symbol == UNDECIDED:
                    return False
                decoder = refilled(decoder, data, limit)
                if symbol == 0:
                    goes += 1
                else:
                    ends += 1
                    going[p] = False
        for b in range(bits):
            for p in range(patches):
                if going[p]:
                    symbol, decoder = get_bit(decoder, HALF)
                    if symbol == UNDECIDED:
                        return False
                    decoder = refilled(decoder, data, limit)
                    signs[t, b, p] = 1 - 2 * symbol
    return True
