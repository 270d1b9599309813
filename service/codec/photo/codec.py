"""The codec `photo`: a picture of any size as one stream, of which every prefix is a picture.

    encode   RGB -> three colour axes -> 9/7 wavelet (-> analysis network) -> integers -> passes
    decode   symbols that the prefix decides -> means of their cells (-> synthesis network)
             -> inverse transforms -> RGB

The scan (``bitplane_coder``) sees integers alone. Sources: zero cells of double width and planes as
in Shapiro 1993, order by squared error a bit as in Li and Lei 1999, contexts of known magnitudes as
in Taubman 2000, mixed predictions as in Mahoney 2005. A version whose artifact has no networks has
the closed form alone; one that has them uses them where the header says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial

import numpy as np

from service.codec.artifact import Artifact
from service.codec.geometry import PHOTO_PIXELS, Size
from service.codec.header import StreamHeader
from service.codec.interface import (
    KMAC_COST,
    Effort,
    Encoded,
    Inspection,
    Kind,
    Level,
    header_of,
)
from service.codec.photo import choice, encoder, header, levels, painter, search, tables, transform
from service.codec.photo.bitplane_coder import Fixed, Models
from service.codec.photo.header import PhotoHeader
from service.codec.photo.known import Known
from service.codec.photo.networks import ROLES, CellNetwork
from service.codec.photo.order import Grid, grid_of, sizes_of
from service.codec.photo.parse import Parse
from service.codec.photo.prices import pass_chunks
from service.codec.photo.tables import ORDERS, Tables
from service.codec.photo.threads import Threads
from service.codec.photo.transform import Steps
from service.codec.photo.writer import Writer
from service.codec.pixels import Pixels
from service.inference import Runtime
from service.quality.ms_ssim import MS_SSIM_SIDE

BITS_A_PIXEL = 2.0
SQUARED_ERROR = ORDERS.index("psnr")
MOST_BITS_A_PIXEL = 8
"""What a stream may have that another encoder made."""
LEAST_PAYLOAD_BYTES = 512
"""A small picture may take so many, whatever its pixels allow."""
GRIDS = 8
"""Geometries that are kept: that of 16 megapixels takes 2 MB."""
ENCODE_COST, DECODE_COST, DECODE_COST_A_BYTE = 700, 60, 2500
"""About, in nanoseconds of one core: a pixel encoded, a pixel painted, a byte parsed.

``python -m tests.bench.photo`` prints what they come to."""
ENCODE_MEMORY, DECODE_MEMORY = 44, 48
"""Bytes a pixel, at the most."""
NETWORKS_MEMORY, NETWORK_MEMORY = 110 * 2**20, 48 * 2**20
"""Bytes a thread, of what stages compute of a tile: however large a photo is, and kept.

Encoding has two networks, of which the one paints what levels are measured of."""


class PhotoCodec:
    """One artifact, loaded. Thread-safe: tables are never written.

    ``order`` names what streams are made for (``tables.ORDERS``), ``networks`` says whether they
    may have any; a decoder reads both in the header.
    """

    kind: Kind = "photo"
    minimum_bytes = header.LONGEST_BYTES
    picture_size: int | None = None
    maximum_bytes = header.LONGEST_BYTES + MOST_BITS_A_PIXEL * PHOTO_PIXELS // 8

    def __init__(
        self,
        artifact: Artifact,
        runtime: Runtime,
        *,
        bits_a_pixel: float = BITS_A_PIXEL,
        order: str = ORDERS[0],
        networks: bool = True,
        effort: Effort = "default",
    ) -> None:
        """Raises ArtifactError when tables are missing or damaged.

        An ``effort`` that the artifact has no search for is the default.
        """
        manifest = artifact.manifest
        self.name, self.wire_id, self.version = manifest.name, manifest.wire_id, manifest.version
        self.readable_versions = frozenset((manifest.version,))
        self.artifact_sha256: str | None = artifact.sha256
        self.bits_a_pixel, self.order = bits_a_pixel, ORDERS.index(order)
        self._may_have_networks = networks
        self._known: dict[bool, Tables] = {}
        self._networks: dict[str, CellNetwork] = {}
        self._kmac = (0.0, 0.0)
        if manifest.graphs:
            self._known[True] = tables.opened(artifact.tables())
            self._networks = {role: CellNetwork(artifact, runtime, role) for role in ROLES}
            kmac = manifest.kmac_per_pixel
            self._kmac = kmac.get("encode", 0.0), kmac.get("decode", 0.0)
        has_search = bool(self._networks) and manifest.search is not None
        self.efforts: tuple[Effort, ...] = search.EFFORTS if has_search else ("default",)
        self.effort: Effort = effort if effort in self.efforts else "default"
        self._artifact, self._runtime = artifact, runtime
        closed = artifact.closed_form() if manifest.graphs else artifact.tables()
        self._known[False] = tables.opened(closed)
        self.stored = self._known[False].stored
        self._threads = Threads(runtime.threads)
        self.geometry = lru_cache(GRIDS)(self._geometry)
        self._compile()

    @property
    def has_networks(self) -> bool:
        """Whether streams may have networks."""
        return bool(self._networks)

    def network(self, role: str) -> CellNetwork:
        """One of ``networks.ROLES``. Raises KeyError where the artifact has none."""
        return self._networks[role]

    @cached_property
    def _search(self) -> search.Search:
        """Loaded when a stream is first made with more effort."""
        artifact = self._artifact
        gradient = self._runtime.session(artifact.network("gradient"), "nothing")
        return search.Search(gradient, search.read(artifact.search()), self._networks["synthesis"])

    def tables(self, networks: bool) -> Tables:
        """Those of streams with networks, or without."""
        return self._known[networks]

    def _compile(self) -> None:
        """Compile what encoding, measuring and decoding call, or load it from the cache."""
        grey = np.full((MS_SSIM_SIDE, MS_SSIM_SIDE, 3), 99, np.uint8)
        for writeable in (True, False):  # an opened picture may be either
            grey.flags.writeable = writeable
            for networks in self._known:
                self.measure([grey], [self.stream(grey, networks=networks)])

    def _geometry(self, size: Size, order: int, networks: bool = False) -> tuple[Grid, Steps]:
        stored = self._known[networks].stored
        grid = grid_of(size.height, size.width, stored.slopes[order], stored.usual)
        return grid, transform.steps_of(stored, order, grid, networks)

    def header(self, prefix: bytes) -> StreamHeader:
        """The header, with the photo's size. Raises CodecError."""
        common = header_of(self, prefix)
        own = self._own_header(prefix)
        return replace(common, size=own.size, length_bytes=own.length_bytes)

    def _own_header(self, prefix: bytes) -> PhotoHeader:
        return header.parse(prefix, self.has_networks)

    def cost(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """By pixels; a prefix by what is parsed of it and the pixels that are painted.

        The synthesis works on all pixels of a picture, unless it is painted without.
        """
        encode, decode = (round(KMAC_COST * kmac) for kmac in self._kmac)
        if prefix_bytes is None:
            own = size.pixels * (ENCODE_COST + encode)
            return own + search.rounds(self.effort) * size.pixels * search.COST
        whole = of or size
        longest, all_of_it = (max(one.width, one.height) for one in (size, whole))
        corrected = 2**painter.CORRECTED_SPLITS * longest > all_of_it  # a bound of what is painted
        network = whole.pixels * decode if corrected else 0
        return max(1, size.pixels * DECODE_COST + prefix_bytes * DECODE_COST_A_BYTE + network)

    def memory(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """By pixels; networks take as much for any photo. A prefix is parsed whole."""
        threads = self._threads.count if self.has_networks else 0
        if prefix_bytes is not None:
            return (of or size).pixels * DECODE_MEMORY + threads * NETWORK_MEMORY
        searched = min(self._threads.count, len(search.CUTS_BPP)) * search.MEMORY
        a_pixel = ENCODE_MEMORY if self.effort == "default" else searched
        return size.pixels * a_pixel + threads * NETWORKS_MEMORY

    def encode(
        self,
        pictures: Sequence[Pixels],
        aspects: Sequence[float],  # noqa: ARG002 - a photo has that of its pixels
        effort: Effort | None = None,
    ) -> list[Encoded]:
        """Whole streams of uint8 [H, W, 3] each; a large photo is measured as it is written."""
        return [self._encoded(picture, effort) for picture in pictures]

    def _encoded(self, picture: Pixels, effort: Effort | None) -> Encoded:
        writer, steps = self._begun(picture, effort=effort)
        found = None
        if Size.of(picture).pixels > levels.LARGE_PIXELS:
            cuts = levels.cuts_of(writer.most_bytes, self.minimum_bytes)
            found = self._levels(picture, writer, steps, cuts)
        return Encoded(writer.whole(), found)

    def stream(
        self,
        picture: Pixels,
        order: str | None = None,
        *,
        networks: bool | None = None,
        effort: Effort | None = None,
    ) -> bytes:
        """The whole stream of uint8 [H, W, 3], told in one of ``ORDERS``.

        With ``networks`` or without; None: as is better for this picture (``choice``), and without
        in the order for squared error, which they were not trained for. Raises ValueError for an
        effort that is none of ``efforts``.
        """
        writer, _ = self._begun(picture, order, networks, effort)
        return writer.whole()

    def _begun(
        self,
        picture: Pixels,
        order: str | None = None,
        networks: bool | None = None,
        effort: Effort | None = None,
    ) -> tuple[Writer, Steps]:
        number = self.order if order is None else ORDERS.index(order)
        effort = effort or self.effort
        if effort not in self.efforts:
            raise ValueError(f"{self.name} has no effort {effort!r}")
        if networks is None:
            networks = self._prefers_networks(picture, number)
        return self._writer(picture, number, networks, self.bits_a_pixel, effort)

    def _prefers_networks(self, picture: Pixels, order: int) -> bool:
        may = self.has_networks and self._may_have_networks and order != SQUARED_ERROR
        if not may or not header.may_have_networks(Size.of(picture)):
            return False
        sample = choice.sample_of(picture)
        return choice.networks_are_better(
            sample,
            lambda networks, bpp: self._writer(sample, order, networks, bpp)[0].whole(),
            lambda stream, cuts: self._painted_cuts(stream, cuts, 0),
        )

    def _writer(
        self,
        picture: Pixels,
        order: int,
        networks: bool,
        bits_a_pixel: float,
        effort: Effort = "default",
    ) -> tuple[Writer, Steps]:
        size = Size.of(picture)
        head = header.pack(self.wire_id, self.version, size, order, networks)
        grid, steps = self.geometry(size, order, networks)
        if networks:
            network = self._networks["analysis"]
            split = encoder.analysed(picture, grid, steps, self._threads, network)
            if effort != "default":
                aim = search.Aim(grid, steps, self._known[True], order)
                split = self._search.refined(picture, split, aim, self._threads, effort)
            values, passes = encoder.quantised_cells(
                split, grid, steps, self._threads, network.last_plane
            )
        else:
            values, passes = encoder.quantised(picture, grid, steps, self._threads)
        room = max(LEAST_PAYLOAD_BYTES, int(bits_a_pixel * size.pixels / 8))
        return Writer(grid, passes, self._known[networks], values, head, room), steps

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """Sixteen prefixes each, at a low-pass resolution (``levels.splits_of``)."""
        found = []
        for picture, stream in zip(pictures, streams, strict=True):
            parse, steps, _ = self.parse(stream)
            cuts = levels.cuts_of(len(stream), self.minimum_bytes)
            found.append(self._levels(picture, parse, steps, cuts))
        return found

    def coded_size(self, size: Size) -> Size:
        """That of the picture."""
        return size

    def measured_size(self, size: Size) -> Size:
        """A low-pass resolution of a photo that is larger."""
        splits = levels.splits_of(size)
        height, width = sizes_of(size.height, size.width, splits)[splits]
        return Size(width, height)

    def _levels(
        self, picture: Pixels, known: Known, steps: Steps, cuts: Sequence[int]
    ) -> tuple[Level, ...]:
        """What prefixes of ``cuts`` bytes are worth, those that there are, and the whole."""
        size = Size.of(picture)
        splits = levels.splits_of(size)
        wanted = transform.low_pass(picture, steps, splits)
        network, part, own = self._networks.get("synthesis"), None, steps
        if steps.networks and size.pixels > levels.LARGE_PIXELS:
            own = steps._replace(networks=False)
            part = levels.part_of(size, splits) if splits <= painter.CORRECTED_SPLITS else None
        paint = partial(painter.part_painted, known, steps, size, splits, self._threads)
        due = levels.corrected_from(size)
        found: list[Level] = []
        gains = {}
        reached = self._threads.beside(partial(known.reach, cuts[0]))
        for n in range(len(cuts)):
            cut, better = reached(), None
            shown = self.painted(known, own, size, splits)
            if part is not None and network is not None:
                if not painter.corrects(network, known):
                    gains[n] = levels.NOTHING
                elif known.ended or (due and due[0] <= cut):
                    due = [length for length in due if length > cut]
                    better = part.inner(paint(network, part.corrected))
            ended = known.ended
            if not ended:  # the next bytes are told while this picture is measured
                reached = self._threads.beside(partial(known.reach, cuts[n + 1]))
            found.append(levels.level(cut, wanted, shown))
            if part is not None and better is not None:
                without = levels.level(cut, part.of(wanted), part.of(shown))
                gains[n] = levels.gain(levels.level(cut, part.of(wanted), better), without)
            if ended:
                break
        return levels.corrected(found, gains)

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> list[Pixels]:
        """Paint prefixes; with ``size`` the smallest low-pass picture whose long side is that."""
        painted: list[Pixels] = []
        for prefix in prefixes:
            own = self.header(prefix).size
            assert own is not None
            splits = 0 if size is None else _splits_for(own, size)
            painted += self._painted_cuts(prefix, [len(prefix)], splits)
        return painted

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint prefixes of ``cuts`` bytes, ascending: uint8 [H, W, 3] each, parsed once."""
        self.header(stream)
        return self._painted_cuts(stream, cuts, 0)

    def parse(self, stream: bytes) -> tuple[Parse, Steps, Size]:
        """Begin to read a stream: nothing of its payload is decided yet. Raises CodecError."""
        size, order, networks, length = self._own_header(stream)
        grid, steps = self.geometry(size, order, networks)
        return Parse(grid, *self.statistics(networks), stream, length), steps, size

    def statistics(self, networks: bool = False) -> tuple[Models, Fixed]:
        """What a scan begins with: models, which adapt, and what stays."""
        own = self._known[networks]
        return tables.fresh(own.models), own.fixed

    def _painted_cuts(self, stream: bytes, cuts: Sequence[int], splits: int) -> Iterator[Pixels]:
        parse, steps, size = self.parse(stream)
        for cut in cuts:
            parse.advance(cut)
            yield self.painted(parse, steps, size, splits)

    def painted(self, known: Known, steps: Steps, size: Size, splits: int = 0) -> Pixels:
        """What is decided so far, as it is after so many splits: uint8 [H, W, 3]."""
        network = self._networks["synthesis"] if steps.networks else None
        return painter.painted(known, steps, size, splits, self._threads, network)

    def inspect(self, stream: bytes) -> Inspection:
        """The header, the order, and which passes each stretch of the payload tells."""
        head = self.header(stream)
        size, order, networks, length = self._own_header(stream)
        parse, _, _ = self.parse(stream)
        symbols = parse.advance(len(stream))
        chunks = pass_chunks(parse, *self.statistics(networks), length, len(stream))
        return Inspection.of(
            self,
            head,
            stream,
            chunks,
            complete=parse.complete,
            facts={
                "width": size.width,
                "height": size.height,
                "order": ORDERS[order],
                **({"networks": networks} if self.has_networks else {}),
                "symbols": symbols,
                "passes": parse.passes_done,
            },
        )


def _splits_for(size: Size, side: int) -> int:
    """Most splits that leave a long side of at least ``side`` pixels."""
    longest, splits = max(size.width, size.height), 0
    while longest > 1 and (longest + 1) // 2 >= side:
        longest, splits = (longest + 1) // 2, splits + 1
    return splits
