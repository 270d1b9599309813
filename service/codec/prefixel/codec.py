"""The embedded codec: every byte of a stream is a place to cut it.

    encode   RGB -> analysis network -> three decorrelated colours -> 32x32 cosine transform
             -> integers -> symbols
    decode   symbols that the prefix decides -> conditional means -> inverse transforms
             -> synthesis network -> RGB

The parse (``bitplane_coder``) sees integers alone; floats prepare the integers of the encoder and
paint what the parse found. An artifact may have neither network. Sources: bit planes with a
double-width zero cell as in Shapiro 1993 and Said and Pearlman 1996, ordered by expected squared
error a bit as in Li and Lei 1999.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

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
from service.codec.parallel_slices import ParallelSlices
from service.codec.pixels import Pixels, thumbnails
from service.codec.prefixel import bitplane_coder
from service.codec.prefixel import tables as prefixel_tables
from service.codec.prefixel.bitplane_coder import Counts
from service.codec.prefixel.context_model import COEFFICIENTS, LAST_PLANE, Ints, Known
from service.codec.prefixel.encoder_rdo import RateDistortionSearch
from service.codec.prefixel.reconstruction import (
    DCT,
    MIDDLE,
    PRECISIONS,
    Floats,
    axes,
    closed_form,
    dequantiser_of,
    precision,
    to_rgb,
)
from service.codec.prefixel.tables import Stored
from service.errors import ArtifactError
from service.inference import Runtime, Session
from service.inference.runtime import Share
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

LEVELS_BYTES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
LARGEST_BATCH = 64
AT_ONCE = 8
"""Pictures that a thread works on at once: what is computed of them stays in its cache."""
PICTURE = (THUMB_SIDE, THUMB_SIDE, 3)
GRAPHS = {
    "analysis": ({"picture": PICTURE}, {"analysed": PICTURE}),
    "synthesis": ({"painted": PICTURE, "known": (PRECISIONS,)}, {"picture": PICTURE}),
    "gradient": (
        {"painted": PICTURE, "known": (PRECISIONS,), "target": PICTURE, "weight": ()},
        {"distortion": (), "slope": PICTURE},
    ),
}
"""Networks that an artifact may have, with the shapes of one picture: inputs, outputs."""
ROUNDS: dict[Effort, int] = {"high": 10, "best": 40}
"""Of the search through the synthesis network; the default takes one step."""
ROUND_COST = 4
"""A round in units of all that encoding does without it: ``evaluate --speed --effort``."""


class EmbeddedCodec:
    """One artifact of the family, loaded. Thread-safe: its tables are never written.

    ``effort`` is how streams are made unless a call says otherwise: one step or ``ROUNDS`` of
    search after what the analysis network makes of a photo.

    ``written`` is what streams are made of: the first ``config.entries`` of the order, where an
    artifact says so. A simple picture would soon have told more than pictures in training ever
    did, and the synthesis network would guess.
    """

    kind: Kind = "thumb"
    picture_size: int | None = THUMB_SIDE
    minimum_bytes = HEADER_BYTES
    efforts: tuple[Effort, ...] = ("default", *ROUNDS)

    def __init__(self, artifact: Artifact, runtime: Runtime, effort: Effort = "default") -> None:
        """Raises ArtifactError when tables or a graph are missing, damaged or not of the family."""
        manifest = artifact.manifest
        self.artifact, self.effort = artifact, effort
        self.artifact_sha256: str | None = artifact.sha256
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        self.readable_versions = frozenset((self.version,))
        self._kmac = manifest.kmac_per_pixel
        longest = manifest.config.get("maximum_bytes")
        if not isinstance(longest, int) or longest <= HEADER_BYTES:
            raise ArtifactError(f"{self.name}: config.maximum_bytes is {longest}")
        self.maximum_bytes = longest
        self.stored = prefixel_tables.read(artifact.tables())
        self.tables = prefixel_tables.for_parse(self.stored)
        self.packed = bitplane_coder.pack_tables(self.tables)
        self.dequantiser = dequantiser_of(self.stored)
        entries = manifest.config.get("entries", len(self.packed.entries))
        if not isinstance(entries, int) or not 0 < entries <= len(self.packed.entries):
            raise ArtifactError(f"{self.name}: config.entries is {entries}")
        self.written = self.packed._replace(entries=self.packed.entries[:entries])
        if unknown := manifest.graphs.keys() - GRAPHS.keys():
            raise ArtifactError(f"{self.name}: no graph of the family is {', '.join(unknown)}")
        # those of "nothing" run in slices, of which each has a thread
        self._networks = {role: _session(artifact, runtime, role) for role in manifest.graphs}
        self._search = None
        if one_step := self._networks.get("gradient"):
            shared = _session(artifact, runtime, "gradient", "pictures")
            self._search = RateDistortionSearch(self.stored, shared, one_step=one_step)
        self._slices = ParallelSlices(runtime.threads)
        self._at_once, self._together = AT_ONCE, LARGEST_BATCH
        if runtime.device_name != "cpu":  # threads parse while the device paints
            self._at_once, self._together = LARGEST_BATCH, LARGEST_BATCH * runtime.threads
            for session in self._networks.values():
                session.warm_up(range(1, LARGEST_BATCH + 1))
        self._compile()

    def _compile(self) -> None:
        """Compile what encoding, measuring and decoding call, or load it from the cache."""
        grey = [np.full(PICTURE, 99, np.uint8)]
        [made] = self.encode(grey, [1.0])
        self.measure(grey, [made.stream])

    def header(self, prefix: bytes) -> StreamHeader:
        """The header of a prefix. Raises CodecError for one that is not to be decoded here."""
        return header_of(self, prefix)

    def cost(
        self,
        size: Size,
        prefix_bytes: int | None = None,
        of: Size | None = None,  # noqa: ARG002 - thumbnails have one size
    ) -> int:
        """By the networks' work; a prefix costs the same at any length."""
        kmac = self._kmac.get("encode" if prefix_bytes is None else "decode", 1.0)
        rounds = 0 if prefix_bytes is not None else ROUNDS.get(self.effort, 0)
        return max(1, round(size.pixels * kmac * KMAC_COST) * (1 + ROUND_COST * rounds))

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
        """Whole streams of thumbnails, uint8 [32, 32, 3] each; nothing is measured."""
        batch = thumbnails(pictures, aspects)
        payloads = [b""] * len(batch)

        def work(part: slice) -> None:
            values = self.values(batch[part], effort or self.effort)
            room = self.maximum_bytes - HEADER_BYTES
            payloads[part] = bitplane_coder.encode(self.written, values, room)

        self._slices.run(work, len(batch), self._at_once)
        headers = (pack_header(self.wire_id, self.version, aspect) for aspect in aspects)
        return [
            Encoded(header + payload) for header, payload in zip(headers, payloads, strict=True)
        ]

    def values(self, pictures: Pixels, effort: Effort) -> Ints:
        """What the streams of uint8 [N, 32, 32, 3] say: int32 [N, 3072]."""
        values = self.unrounded(pictures)
        if self._search and effort == "default":
            values = self._search.single_step(pictures, values)
        elif self._search:
            values = self._search.refined(pictures, values, ROUNDS[effort])
        return whole_steps(values)

    def unrounded(self, pictures: Pixels) -> Floats:
        """Coefficients of uint8 [N, 32, 32, 3] in steps: float [N, 3072], before any search.

        An artifact without an analysis does without.
        """
        given = pictures.astype(np.float32)
        if "analysis" in self._networks:
            given = self._networks["analysis"].run({"picture": given})["analysed"]
        return in_steps(self.stored, coefficients(given, axes(self.stored)))

    def network(self, role: str) -> Session:
        """A network of the artifact. Raises KeyError where it has none of that role."""
        return self._networks[role]

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """A level at each of ``LEVELS_BYTES``, as far as the stream goes, which is parsed once."""
        batch = thumbnails(pictures, [1.0] * len(streams))
        parts = (slice(at, at + LARGEST_BATCH) for at in range(0, len(streams), LARGEST_BATCH))
        return [levels for part in parts for levels in self._levels(batch[part], streams[part])]

    def coded_size(self, size: Size) -> Size:
        """That of the picture."""
        return size

    def measured_size(self, size: Size) -> Size:
        """That of the picture."""
        return size

    def _levels(self, pictures: Pixels, streams: Sequence[bytes]) -> list[tuple[Level, ...]]:
        lengths = [length for length in LEVELS_BYTES if length <= self.maximum_bytes]
        cuts = np.tile(np.array(lengths, np.int64), (len(streams), 1))
        shown = self.paint_cuts(streams, cuts)
        scores = [
            (block_ssim(pictures, shown[:, k]), psnr(pictures, shown[:, k]))
            for k in range(len(lengths))
        ]
        levels = []
        for n, stream in enumerate(streams):
            ends = sorted({min(length, len(stream)) for length in lengths})
            measured = zip(ends, scores, strict=False)
            levels.append(tuple(Level(end, float(s[n]), float(d[n])) for end, (s, d) in measured))
        return levels

    def paint_cuts(self, streams: Sequence[bytes], cuts: Counts) -> Pixels:
        """Paint prefixes of ``cuts`` [N, M] bytes, ascending, header included: [N, M, 32, 32, 3].

        Every stream is parsed once.
        """
        shown = np.empty((*cuts.shape, *PICTURE), np.uint8)
        at_once = max(1, self._together // cuts.shape[1])
        for start in range(0, len(streams), at_once):
            part = slice(start, start + at_once)
            shown[part] = self._shown(streams[part], cuts[part])
        return shown

    def decode(
        self,
        prefixes: Sequence[bytes],
        size: int | None = None,  # noqa: ARG002 - thumbnails have one
    ) -> list[Pixels]:
        """Paint prefixes of any lengths: uint8 [32, 32, 3] each, in the order given."""
        for prefix in prefixes:
            self.header(prefix)
        lengths = np.array([len(prefix) for prefix in prefixes], np.int64)
        return list(self.paint_cuts(prefixes, lengths[:, None])[:, 0])

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes one after the other, uint8 [32, 32, 3]; the stream is parsed once."""
        self.header(stream)
        lengths = np.minimum(np.array(cuts, np.int64), len(stream))[None] - HEADER_BYTES
        found, _ = bitplane_coder.decode_cuts(self.packed, [stream[HEADER_BYTES:]], lengths)
        for start in range(0, len(cuts), self._at_once):
            part = slice(start, start + self._at_once)
            yield from self._painted(Known(found.cells[0, part], found.plane[0, part]))

    def _shown(self, streams: Sequence[bytes], cuts: Counts) -> Pixels:
        """Streams and cuts [N, M] -> uint8 [N, M, 32, 32, 3]."""
        payloads = [stream[HEADER_BYTES:] for stream in streams]
        shown = np.empty((*cuts.shape, *PICTURE), np.uint8)

        def work(part: slice) -> None:
            found, _ = bitplane_coder.decode_cuts(
                self.packed, payloads[part], cuts[part] - HEADER_BYTES
            )
            flat = (found.cells.reshape(-1, COEFFICIENTS), found.plane.reshape(-1, COEFFICIENTS))
            shown[part] = self._painted(Known(*flat)).reshape(shown[part].shape)

        self._slices.run(work, len(streams), max(1, self._at_once // cuts.shape[1]))
        return shown

    def _painted(self, known: Known) -> Pixels:
        """Coefficients that are known, [N, 3072] -> uint8 [N, 32, 32, 3]."""
        picture = self.synthesised(closed_form(self.dequantiser, known), precision(known))
        return to_rgb(picture)

    def synthesised(self, painted: Floats, precise: Floats) -> Floats:
        """What the synthesis makes of a batch: [N, 32, 32, 3] and [N, 18] -> [N, 32, 32, 3].

        An artifact without one leaves it as it is.
        """
        if "synthesis" not in self._networks:
            return painted
        given = {"painted": painted, "known": precise}
        return self._networks["synthesis"].run(given)["picture"]

    def inspect(self, stream: bytes) -> Inspection:
        """The header, and how many symbols the payload decides."""
        header = header_of(self, stream)
        known, symbols = bitplane_coder.decode(self.packed, [stream[HEADER_BYTES:]])
        every_symbol = bitplane_coder.is_complete(self.written, known)
        return Inspection.of(
            self,
            header,
            stream,
            [Chunk("coefficients", HEADER_BYTES, len(stream) - HEADER_BYTES)],
            complete=every_symbol or len(stream) == self.maximum_bytes,
            facts={
                "symbols": int(symbols[0]),
                "nonzero_coefficients": int((known.cells != 0).sum()),
            },
        )


def _session(artifact: Artifact, runtime: Runtime, role: str, share: Share = "nothing") -> Session:
    """The network of a role. Raises ArtifactError when it takes or gives something else."""
    session = runtime.session(artifact.graph(role), share)
    for tensors, expected in zip((session.inputs, session.outputs), GRAPHS[role], strict=True):
        found = {tensor.name: tensor.shape[1:] for tensor in tensors}
        if found != expected or any(tensor.dtype != np.float32 for tensor in tensors):
            raise ArtifactError(
                f"{artifact.manifest.name}: {role} has {', '.join(map(str, tensors))} where"
                f" float32 {expected} of each picture belong"
            )
    return session


def quantise(stored: Stored, pictures: Pixels | Floats) -> Ints:
    """Levels [N, 32, 32, 3] -> int32 [N, 3072]: whole steps, towards zero."""
    return whole_steps(in_steps(stored, coefficients(pictures, axes(stored))))


def in_steps(stored: Stored, raw: Floats) -> Floats:
    """Coefficients [N, 3072] -> in steps, from the mean: float [N, 3072]."""
    return np.asarray(
        (raw - stored.means / np.float32(16)) / (stored.steps / np.float32(16)), np.float32
    )


def whole_steps(values: Floats) -> Ints:
    """Float [N, 3072] -> int32: towards zero, within what the planes hold."""
    largest = (1 << (LAST_PLANE + 1)) - 1
    return np.asarray(np.trunc(values).clip(-largest, largest), np.int32)


def coefficients(pictures: Pixels | Floats, axes: Floats) -> Floats:
    """[N, 32, 32, 3] in levels -> float [N, 3072]; ``axes`` [3, 3] has the new colours in rows."""
    centred = pictures.astype(np.float32) - np.float32(MIDDLE)
    turned = (centred @ axes.T).transpose(0, 3, 1, 2)
    return np.asarray(DCT @ turned @ DCT.T, np.float32).reshape(len(pictures), COEFFICIENTS)
