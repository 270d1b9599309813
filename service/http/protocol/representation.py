"""What is sent under a URL: its ETag and digests, and what the conditions of a request make of it.

The only place where these headers are built. The grammar of the conditions is in ``conditional``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.http.protocol.conditional import (
    ByteRange,
    digest_field,
    if_range,
    none_match,
    parse_range,
    strong_etag,
)
from service.http.protocol.reply import Body, Header, Headers, Reply

if TYPE_CHECKING:
    from starlette.types import Scope

DIGESTED_BYTES = 64 * 1024
"""Longer content has no digest of its own: hashing it would hold up the loop."""
_NOTHING = digest_field(hashlib.sha256(b"").digest())
_CONDITIONS = frozenset((b"range", b"if-range", b"if-none-match"))
_RANGES: Header = (b"accept-ranges", b"bytes")
_NO_RANGES: Header = (b"accept-ranges", b"none")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request asks of a representation, as far as its method lets it."""

    none_match: bytes | None = None
    if_range: bytes | None = None
    range: ByteRange | None = None

    @classmethod
    def of(cls, scope: Scope) -> Conditions:
        """Those of a request's headers; several lines are one list, which a Range ignores."""
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _CONDITIONS:
                found[name] = found[name] + b"," + value if name in found else value
        if not found:
            return _UNCONDITIONAL
        asked = found.get(b"range")
        return cls(
            found.get(b"if-none-match"),
            found.get(b"if-range"),
            parse_range(asked) if asked is not None and scope["method"] == "GET" else None,
        )


_UNCONDITIONAL = Conditions()


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes that a URL stands for, and what is said of them whether they are sent or not.

    ``digest`` is their SHA-256, where it is known. ``common`` goes with 304 too, ``content`` only
    with the bytes. ``has_ranges``: whether parts of it may be asked for; None says nothing of it.
    """

    etag: bytes
    digest: bytes | None
    common: Headers
    content: Headers
    has_ranges: bool | None = None

    def is_fresh(self, conditions: Conditions) -> bool:
        """Whether the client has it already."""
        return conditions.none_match is not None and none_match(conditions.none_match, self.etag)

    def part(self, conditions: Conditions, total_bytes: int) -> tuple[int, int] | None:
        """Start and end of the range that is to be sent; None for the whole.

        Raises RangeError when it lies outside.
        """
        asked, condition = conditions.range, conditions.if_range
        if asked is None or (condition is not None and not if_range(condition, self.etag)):
            return None
        return asked.within(total_bytes)

    def unmodified(self) -> Reply:
        """304."""
        return Reply(304, self._common(), has_length=False)

    def whole(self, scope: Scope, body: Body) -> Reply:
        """200, or to HEAD what that would say."""
        is_sent = scope["method"] != "HEAD"
        digests = _digests(self.digest, len(body), is_sent=is_sent)
        return Reply(200, (*self._common(), *self.content, *digests), body)

    def partial(self, body: Body, start: int, total_bytes: int) -> Reply:
        """206: ``body`` is what begins at byte ``start``."""
        end = start + len(body)
        headers = [
            *self._common(),
            *self.content,
            (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, total_bytes)),
        ]
        if self.digest is not None:
            headers.append((b"repr-digest", digest_field(self.digest)))
        if isinstance(body, bytes) and len(body) <= DIGESTED_BYTES:
            headers.append((b"content-digest", digest_field(hashlib.sha256(body).digest())))
        return Reply(206, tuple(headers), body)

    def _common(self) -> Headers:
        etag = (b"etag", self.etag)
        if self.has_ranges is None:
            return (etag, *self.common)
        return (etag, *self.common, _RANGES if self.has_ranges else _NO_RANGES)


def represent(
    data: bytes, common: Headers, content: Headers, *, has_ranges: bool | None = None
) -> Representation:
    """The representation of bytes that are here; its ETag is their hash."""
    digest = hashlib.sha256(data).digest()
    return Representation(strong_etag(digest), digest, common, content, has_ranges)


def answer(scope: Scope, representation: Representation, data: bytes) -> Reply:
    """200 or 304 for bytes that are here and know no ranges."""
    if scope["method"] != "POST" and representation.is_fresh(Conditions.of(scope)):
        return representation.unmodified()
    return representation.whole(scope, data)


def unnamed(data: bytes, headers: Headers) -> Reply:
    """200 for an answer that nobody can ask for again: digests, and no ETag."""
    digests = _digests(hashlib.sha256(data).digest(), len(data), is_sent=True)
    return Reply(200, (*headers, *digests), data)


def _digests(digest: bytes | None, length: int, *, is_sent: bool) -> Headers:
    if digest is None:
        return ()
    field = digest_field(digest)
    if not is_sent:
        # no content is, and that is what Content-Digest speaks of (RFC 9530, B.2)
        return ((b"repr-digest", field), (b"content-digest", _NOTHING))
    if length > DIGESTED_BYTES:
        return ((b"repr-digest", field),)
    return ((b"repr-digest", field), (b"content-digest", field))
