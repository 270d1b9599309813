"""Prefixel for Python programs: streams made and painted here, or by a service.

    import prefixel

    stream = prefixel.encode("photo.jpg", codec="photo", bytes=20_000)
    rgb = prefixel.decode(stream[:500])              # uint8 [H, W, 3]

    with prefixel.Client("http://127.0.0.1:8000") as client:
        image = client.upload("photo.jpg")
        placeholder = client.thumb(image["id"], bytes=64)

``prefixel`` re-exports this package. The wheel also holds ``service`` and ``models``, as the
repository does: their modules name each other so, and a copy under another name would be another
program in memory. Nothing but what stands here is meant to be imported.
"""

from service.sdk.client import AsyncClient, Client, ServiceError
from service.sdk.streams import decode, encode

__all__ = ["AsyncClient", "Client", "ServiceError", "decode", "encode"]
