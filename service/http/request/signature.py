"""Signed URLs: with ``PREFIXEL_SIGN_KEY`` set, only URLs that its holder made are painted.

    signature = base64url(HMAC-SHA256(key, "/v1/images/ID/photo.webp?bytes=20000"))[:22]

without padding: 128 bits of it. It is the last parameter: ``?bytes=20000&signature=...``.
"""

from __future__ import annotations

import base64
import hmac

from service.errors import SignatureError

NAME = "signature"
CHARACTERS = 22
_MARK = f"&{NAME}=".encode()
_ALONE = f"{NAME}=".encode()


def signature(key: bytes, path: str, query: str) -> str:
    """Of a path from ``/v1`` on and a query as it will be sent, without the signature."""
    mac = hmac.new(key, f"{path}?{query}".encode("latin-1"), "sha256").digest()
    return base64.urlsafe_b64encode(mac).decode()[:CHARACTERS]


def signed(key: bytes, path: str, query: str) -> str:
    """The query with its signature; as it is where the key is empty."""
    if not key:
        return query
    joint = "&" if query else ""
    return f"{query}{joint}{NAME}={signature(key, path, query)}"


def without_signature(key: bytes, path: str, query: bytes) -> bytes:
    """The query that was signed; any query where the key is empty. Raises SignatureError."""
    if not key:
        return query
    rest, mark, given = query.rpartition(_MARK)
    if not mark and query.startswith(_ALONE):
        rest, given = b"", query.removeprefix(_ALONE)
    elif not mark:
        raise SignatureError("this URL needs a signature, its last parameter")
    wanted = signature(key, path, rest.decode("latin-1"))
    if not hmac.compare_digest(given, wanted.encode()):
        raise SignatureError("the signature is not that of this path and query")
    return rest
