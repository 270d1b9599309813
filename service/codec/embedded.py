"""The embedded codec: every byte of a stream is a place to cut it.

    encode   RGB -> three decorrelated colours -> 32x32 cosine transform -> integers -> symbols
    decode   symbols that the prefix decides -> conditional means -> inverse transforms -> RGB

The parse (``planes``) sees integers alone; floats prepare the integers of the encoder and paint
what the parse found. Sources: bit planes with a double-width zero cell as in Shapiro 1993 and Said
and Pearlman 1996, ordered by expected squared error a bit as in Li and Lei 1999.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.codec import embedded_tables, planes
from service.codec.artifact import Artifact
from service.codec.embedded_tables import SIDE, Stored
from service.codec.interface import Chunk, Encoded, Inspection, Level, Pixels, header_of
from service.codec.planes import COEFFICIENTS, LAST_PLANE, PLANE_CLASSES, Ints, Known
from service.codec.stream import HEADER_BYTES, pack_header, truncate
from service.errors import ArtifactError
from service.evaluation.metrics import block_ssim, psnr
from service.inference import Runtime

LEVELS_BYTES = (16, 24, 32, 48, 64, 96, 128, 192, 256)
LARGEST_BATCH = 64
MIDDLE = 128
Floats = NDArray[np.float32]


class EmbeddedCodec:
    """One artifact of the family, loaded. Thread-safe: its tables are never written."""

    picture_size = SIDE
    minimum_bytes = HEADER_BYTES

    def __init__(self, artifact: Artifact, _: Runtime) -> None:
        """Raises ArtifactError when the tables are missing or damaged."""
        manifest = artifact.manifest
        self.artifact = artifact
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        longest = manifest.config.get("maximum_bytes")
        if not isinstance(longest, int) or longest <= HEADER_BYTES:
            raise ArtifactError(f"{self.name}: config.maximum_bytes is {longest}")
        self.maximum_bytes = longest
        self.stored = embedded_tables.read(artifact.tables())
        self.tables = embedded_tables.for_parse(self.stored)
        planes.decode(self.tables, planes.encode(self.tables, np.zeros(COEFFICIENTS, np.int32), 1))

    def encode(self, pictures: Pixels, aspects: Sequence[float]) -> list[Encoded]:
        """uint8 [N, 32, 32, 3] -> N whole streams, with a level at each of ``LEVELS_BYTES``."""
        if pictures.dtype != np.uint8 or pictures.shape != (len(aspects), SIDE, SIDE, 3):
            raise ValueError(
                f"uint8 [N, {SIDE}, {SIDE}, 3] and N aspects, not {pictures.dtype} "
                f"{list(pictures.shape)} and {len(aspects)}"
            )
        encoded: list[Encoded] = []
        for start in range(0, len(pictures), LARGEST_BATCH):
            part = slice(start, start + LARGEST_BATCH)
            encoded += self._encode(pictures[part], aspects[part])
        return encoded

    def _encode(self, pictures: Pixels, aspects: Sequence[float]) -> list[Encoded]:
        room = self.maximum_bytes - HEADER_BYTES
        streams = [
            pack_header(self.wire_id, self.version, aspect)
            + planes.encode(self.tables, values, room)
            for aspect, values in zip(aspects, quantise(self.stored, pictures), strict=True)
        ]
        levels: list[list[Level]] = [[] for _ in streams]
        for length in LEVELS_BYTES:
            if length > self.maximum_bytes:
                break
            shown = np.stack(self.decode([truncate(stream, length) for stream in streams]))
            scores = zip(block_ssim(pictures, shown), psnr(pictures, shown), strict=True)
            for stream, mine, (ssim, decibels) in zip(streams, levels, scores, strict=True):
                level = Level(min(length, len(stream)), float(ssim), float(decibels))
                if not mine or mine[-1].bytes < level.bytes:
                    mine.append(level)
        return [Encoded(s, tuple(mine)) for s, mine in zip(streams, levels, strict=True)]

    def decode(self, streams: Sequence[bytes]) -> list[Pixels]:
        """Paint prefixes of any lengths: uint8 [32, 32, 3] each, in the order given."""
        for stream in streams:
            header_of(self, stream)
        pictures: list[Pixels] = []
        for start in range(0, len(streams), LARGEST_BATCH):
            known = [
                planes.decode(self.tables, stream[HEADER_BYTES:])[0]
                for stream in streams[start : start + LARGEST_BATCH]
            ]
            pictures += list(to_rgb(paint(self.stored, known)))
        return pictures

    def inspect(self, stream: bytes) -> Inspection:
        """The header, and how many symbols the payload decides."""
        header = header_of(self, stream)
        known, symbols = planes.decode(self.tables, stream[HEADER_BYTES:])
        payload = len(stream) - HEADER_BYTES
        every_symbol = bool((known.plane == 0).all())
        chunks = [Chunk("header", 0, HEADER_BYTES)]
        if payload:
            chunks.append(Chunk("coefficients", HEADER_BYTES, payload))
        return Inspection(
            codec=self.name,
            wire_id=self.wire_id,
            version=self.version,
            aspect=header.aspect,
            total_bytes=len(stream),
            complete=every_symbol or len(stream) == self.maximum_bytes,
            chunks=tuple(chunks),
            facts={"symbols": symbols, "nonzero_coefficients": int((known.magnitude > 0).sum())},
        )


def quantise(stored: Stored, pictures: Pixels) -> Ints:
    """uint8 [N, 32, 32, 3] -> int32 [N, 3072]: whole steps, towards zero."""
    return in_steps(stored, coefficients(pictures, axes(stored)))


def in_steps(stored: Stored, raw: Floats) -> Ints:
    """Coefficients [N, 3072] -> int32 [N, 3072]: whole steps from the mean, towards zero."""
    values = (raw - stored.means / np.float32(16)) / (stored.steps / np.float32(16))
    largest = (1 << (LAST_PLANE + 1)) - 1
    return np.clip(np.trunc(values), -largest, largest).astype(np.int32)


def coefficients(pictures: Pixels, axes: Floats) -> Floats:
    """uint8 [N, 32, 32, 3] -> float [N, 3072]; ``axes`` [3, 3] has the new colours in its rows."""
    centred = pictures.astype(np.float32) - np.float32(MIDDLE)
    turned = (centred @ axes.T).transpose(0, 3, 1, 2)
    return np.asarray(DCT @ turned @ DCT.T, np.float32).reshape(len(pictures), COEFFICIENTS)


def paint(stored: Stored, known: Sequence[Known]) -> Floats:
    """Each coefficient at its mean given what is known: float RGB [N, 32, 32, 3]."""
    magnitude, sign, plane = (np.stack(part) for part in zip(*known, strict=True))  # [N, 3072]
    size = np.clip(stored.sizes - PLANE_CLASSES * plane, 0, stored.centroids.shape[1] - 1)
    inside = stored.centroids[stored.groups, size, np.clip(magnitude, 1, 3) - 1] / np.float32(256)
    cells = np.ldexp(magnitude.astype(np.float32) + inside, plane) * sign.astype(np.float32)
    values = cells * (stored.steps / np.float32(16)) + stored.means / np.float32(16)
    turned = DCT.T @ values.reshape(-1, 3, SIDE, SIDE) @ DCT
    return np.ascontiguousarray(turned.transpose(0, 2, 3, 1) @ axes(stored) + np.float32(MIDDLE))


def axes(stored: Stored) -> Floats:
    """The three colours of the transform, in rows: float [3, 3], orthonormal."""
    return np.asarray(stored.colours / np.float32(2**14), np.float32)


def to_rgb(painted: Floats) -> Pixels:
    """float [N, H, W, 3] -> uint8."""
    return np.asarray(np.rint(painted).clip(0, 255), np.uint8)


def _dct() -> Floats:
    """Orthonormal DCT-II of 32 samples: a row a frequency."""
    k, x = np.indices((SIDE, SIDE))
    basis = np.cos(np.pi * (2 * x + 1) * k / (2 * SIDE)) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


DCT = _dct()
