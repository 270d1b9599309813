"""The codec with an importance map, served: upload, prefixes, rasters, damaged streams.

    python -m tests.proofs.importance_map [--cases 5000] [--seed 1]

Half of the damaged streams go to the codec in this process, half to a service over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from service.bench.connection import Connection, Endpoint
from service.codec.geometry import Size
from service.codec.importance.codec import ImportanceMapCodec
from service.codec.photo.header import pack
from service.codec.registry import load_codec
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.proofs.claims import Claims, heading
from tests.proofs.photos_hostile import in_process, over_http
from tests.support.photos import encoded, mosaic
from tests.support.server import REAL, Server, running_service

NAME = "importance-map"
LARGEST_CUT = 4000


def codec_of() -> ImportanceMapCodec:
    """The shipped one."""
    codec = load_codec(packaged_artifacts() / NAME, Runtime("cpu", threads=1))
    assert isinstance(codec, ImportanceMapCodec)
    return codec


def seeds_of(codec: ImportanceMapCodec) -> list[bytes]:
    """Streams of small photos and prefixes of them."""
    found = []
    for side in (1, 8, 33, 60, 90):
        whole = codec.stream(mosaic(side))
        found += [whole, whole[: len(whole) // 3], whole[:9]]
    return found


async def served(claims: Claims, server: Server, codec: ImportanceMapCodec) -> None:
    """An upload, what is read of it, and a header that asks for too much."""
    endpoint = Endpoint.of(server.url)
    async with Connection(endpoint, keep=True) as connection:
        path = f"/v1/images?codecs={NAME}"
        answer = await connection.ask(endpoint.request("POST", path, encoded("jpeg")))
        found = json.loads(answer.body)
        facts = found["codecs"][NAME]
        claims.claim(
            answer.status == 201 and facts["levels"][-1]["bytes"] == facts["bytes"],
            "an upload is encoded and measured",
            f"{facts['bytes']} bytes, {len(facts['levels'])} levels, MS-SSIM"
            f" {facts['levels'][-1].get('msssim')}",
        )
        wrong = []
        cuts = [9, 40, 333, min(LARGEST_CUT, facts["bytes"])]
        for cut in cuts:
            read = f"/v1/images/{found['id']}/photo.pxl?bytes={cut}&codec={NAME}"
            prefix = await connection.ask(endpoint.request("GET", read))
            if prefix.status != 200 or len(prefix.body) > cut or codec.header(prefix.body) is None:
                wrong.append((read, prefix.status))
            for output in ("webp", "jpg", "png"):
                read = f"/v1/images/{found['id']}/photo.{output}?bytes={cut}&codec={NAME}"
                raster = await connection.ask(endpoint.request("GET", read))
                if raster.status != 200:
                    wrong.append((read, raster.status))
        claims.claim(not wrong, "every prefix is read and painted in each format", str(wrong))
        bomb = pack(codec.wire_id, codec.version, Size(4096, 4096), 0) + bytes(40)
        refused = await connection.ask(endpoint.request("POST", "/v1/decode", bomb))
        claims.claim(refused.status == 422, "a header of 16 megapixels is 422", str(refused.status))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    heading("The codec with an importance map")
    claims, codec = Claims(), codec_of()
    half = options.cases // 2
    seeds = seeds_of(codec)
    in_process(claims, codec, seeds, options.cases - half, options.seed)
    with running_service(REAL, PREFIXEL_CODECS=f"prefixel,photo,{NAME}") as server:
        asyncio.run(served(claims, server, codec))
        over_http(claims, server, seeds, half, options.seed)
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
