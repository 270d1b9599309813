"""``python -m tests.kit.cases DIR``: what the service makes of streams, for the kit's own tests.

parse.npz      streams of photos and of noise at many lengths, and every symbol they decide
photo.npz      photos, what cuts of them decide of each coefficient, and what they paint
networks.npz   photos with networks, what cuts of them decide, and what they paint
network.npz    a synthesis network of random weights (weights.bin) and what it paints
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.export.browser import pack, read_synthesis
from models.prefixel.export import export_synthesis
from models.prefixel.networks import Config, Correction, Networks, Shape
from service.codec.header import HEADER_BYTES, pack_header
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.tables import ORDERS
from service.codec.prefixel import bitplane_coder
from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.prefixel.reconstruction import PRECISIONS, closed_form
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import crops

LENGTHS = (2, 3, 4, 7, 16, 31, 64, 128, 300, 512)
NAME, PHOTO = "prefixel", "photo"
PHOTO_SIDES = [(300, 230), (67, 301), (150, 151), (400, 9)]
"""Of photos, width and height: several groups of blocks, odd sides, a long strip."""
CUTS = 7
NETWORK_SIDES = [(300, 230), (67, 181)]
"""The same of those with networks: sides that are no multiples of a cell's."""
NETWORK_CUTS = 5
WIDTH = 43
"""Odd, so that the last pair of outputs is not whole."""


def streams(codec: EmbeddedCodec) -> list[bytes]:
    """Prefixes of real streams, and headers with random bytes behind them."""
    pictures = np.stack([np.asarray(c.resize((32, 32))) for c in crops(8, seed=5)])
    drawing = np.zeros((1, 32, 32, 3), np.uint8)
    drawing[:, ::2, ::3] = (255, 0, 255)
    pictures = np.concatenate((pictures, drawing))
    real = [encoded.stream for encoded in codec.encode(pictures, [1.0] * len(pictures))]
    draw = np.random.default_rng(3)
    header = pack_header(codec.wire_id, codec.version, 1.5)
    room = codec.maximum_bytes - HEADER_BYTES
    noise = [header + draw.bytes(room) for _ in range(20)]
    noise += [header + bytes([value]) * room for value in (0, 255)]
    return [stream[:length] for stream in real + noise for length in LENGTHS]


def write_parse(folder: Path) -> None:
    """Streams, one behind the other, and what they decide: arrays [N, 3072]."""
    codec = load_newest(packaged_artifacts(), [NAME], Runtime("cpu", 1))[NAME]
    assert isinstance(codec, EmbeddedCodec)
    given = streams(codec)
    known, symbols = bitplane_coder.decode(
        codec.packed, [stream[HEADER_BYTES:] for stream in given]
    )
    np.savez_compressed(
        folder / "parse.npz",
        lengths=np.array([len(stream) for stream in given], np.int32),
        streams=np.frombuffer(b"".join(given), np.uint8),
        symbols=symbols.astype(np.int32),
        magnitude=np.abs(known.cells).astype(np.int32),
        sign=np.sign(known.cells).astype(np.int32),
        plane=known.plane.astype(np.int32),
        painted=closed_form(codec.dequantiser, known),
    )


def write_photos(codec: PhotoCodec, folder: Path) -> None:
    """Whole streams, one behind the other; of the cuts [N, K] what is known, and pictures of it."""
    drawn = crops(len(PHOTO_SIDES), seed=17, size_range=(300, 400))
    pictures = [np.asarray(c.resize(s)) for c, s in zip(drawn, PHOTO_SIDES, strict=True)]
    orders = itertools.cycle(ORDERS)
    whole = [
        codec.stream(picture, order, networks=False)
        for picture, order in zip(pictures, orders, strict=False)
    ]
    made: dict[str, NDArray[np.generic]] = {}
    cuts = []
    for n, stream in enumerate(whole):
        parse, steps, size = codec.parse(stream)
        cuts.append([round(cut) for cut in np.geomspace(codec.minimum_bytes, len(stream), CUTS)])
        for k, cut in enumerate(cuts[-1]):
            made[f"symbols-{n}-{k}"] = np.array([parse.advance(cut)], np.int32)
            made[f"known-{n}-{k}"] = parse.known.copy()
            made[f"negative-{n}-{k}"] = parse.negative.copy()
            for splits in (0, 1, 2):
                made[f"painted-{n}-{k}-{splits}"] = codec.painted(parse, steps, size, splits)
    np.savez_compressed(
        folder / "photo.npz",
        lengths=np.array([len(stream) for stream in whole], np.int32),
        streams=np.frombuffer(b"".join(whole), np.uint8),
        cuts=np.array(cuts, np.int32),
        **made,
    )


def write_photo_networks(codec: PhotoCodec, folder: Path) -> None:
    """Whole streams with networks, one behind the other; of the cuts [N, K] as of photos."""
    drawn = crops(len(NETWORK_SIDES), seed=19, size_range=(300, 400))
    whole, cuts = [], []
    made: dict[str, NDArray[np.generic]] = {}
    for n, (crop, sides) in enumerate(zip(drawn, NETWORK_SIDES, strict=True)):
        stream = codec.stream(np.asarray(crop.resize(sides)), networks=True)
        parse, steps, size = codec.parse(stream)
        whole.append(stream)
        cuts.append([round(cut) for cut in np.geomspace(200, len(stream), NETWORK_CUTS)])
        for k, cut in enumerate(cuts[-1]):
            made[f"symbols-{n}-{k}"] = np.array([parse.advance(cut)], np.int32)
            made[f"known-{n}-{k}"] = parse.known.copy()
            made[f"negative-{n}-{k}"] = parse.negative.copy()
            for splits in (0, 1, 2):
                made[f"painted-{n}-{k}-{splits}"] = codec.painted(parse, steps, size, splits)
    np.savez_compressed(
        folder / "networks.npz",
        lengths=np.array([len(stream) for stream in whole], np.int32),
        streams=np.frombuffer(b"".join(whole), np.uint8),
        cuts=np.array(cuts, np.int32),
        **made,
    )


def write_network(folder: Path) -> None:
    """Weights of 8 bits, and pictures [N, 32, 32, 3] with what is made of them."""
    network = random_network(folder)
    draw = torch.Generator().manual_seed(2)
    painted = 260 * torch.rand(4, 32, 32, 3, generator=draw)
    known = 6 * torch.rand(4, PRECISIONS, generator=draw)
    (folder / "weights.bin").write_bytes(pack(read_synthesis(folder / "synthesis.onnx")))
    with torch.no_grad():
        picture = network(painted, known)
    np.savez_compressed(
        folder / "network.npz",
        painted=painted.numpy(),
        known=known.numpy(),
        picture=picture.numpy(),
    )


def random_network(folder: Path) -> Correction:
    """A synthesis that changes pictures visibly and is none that was trained.

    ``folder`` gets its graph.
    """
    torch.manual_seed(1)
    model = Networks(Config(Shape(WIDTH, blocks=2), None))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5 / weight[0].numel() ** 0.5)
    network = model.eval().synthesis
    export_synthesis(network, folder, eight_bits=True)
    return network


def write(folder: Path) -> None:
    """All of them."""
    write_parse(folder)
    codec = load_newest(packaged_artifacts(), [PHOTO], Runtime("cpu", 1))[PHOTO]
    assert isinstance(codec, PhotoCodec)
    write_photos(codec, folder)
    write_photo_networks(codec, folder)
    write_network(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
