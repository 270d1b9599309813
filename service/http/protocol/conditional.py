"""ETag, If-None-Match, If-Range, Range (RFC 9110) and digests (RFC 9530), on raw header values.

What does not parse is ignored, as RFC 9110 asks; so is a Range of several parts, which a server
may answer whole. Only a single range that lies outside is an error (416).
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from dataclasses import dataclass

from service.errors import RangeError

_ETAG = rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_ETAG_LIST = re.compile(rb"[ \t,]*" + _ETAG + rb"(?:[ \t]*,(?:[ \t]*" + _ETAG + rb")?)*[ \t]*")
_RANGE = re.compile(rb"bytes[ \t]*=[ \t,]*([0-9]*)-([0-9]*)[ \t,]*", re.IGNORECASE)
_POSITION_DIGITS = 18


def strong_etag(digest: bytes) -> bytes:
    """The ETag of bytes with this SHA-256: half of it, 32 hex digits."""
    return b'"' + digest[:16].hex().encode() + b'"'


def prefix_etag(v: str, length: int) -> bytes:
    """The ETag of a stream's first bytes: its name ``v`` and their number fix them."""
    return b'"%s-%d"' % (v.encode(), length)


def digest_field(digest: bytes) -> bytes:
    """Value of Repr-Digest or Content-Digest for a SHA-256 (RFC 9530, section 2)."""
    return b"sha-256=:" + b2a_base64(digest, newline=False) + b":"


def none_match(value: bytes, etag: bytes) -> bool:
    """Whether If-None-Match names this (strong) ETag, compared weakly; then 304 is the answer."""
    if value.strip(b" \t") == b"*":
        return True
    if not _ETAG_LIST.fullmatch(value):
        return False
    return etag in value


def if_range(value: bytes, etag: bytes) -> bool:
    """Whether Range still holds: If-Range is this ETag, strongly compared. A date never is."""
    return value.strip(b" \t") == etag


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``first`` to ``last`` inclusive; no ``last``: to the end; no ``first``: the ``last`` bytes.

    One of both is there at least.
    """

    first: int | None
    last: int | None

    @property
    def guess(self) -> tuple[int, int | None]:
        """Start and end (None: that of all) as far as they are known without the length."""
        if self.first is None:
            return 0, 0
        return self.first, None if self.last is None else self.last + 1

    def within(self, total_bytes: int) -> tuple[int, int]:
        """Start and end (exclusive) in a representation. Raises RangeError when it lies outside."""
        if self.first is None:
            assert self.last is not None
            start, end = max(0, total_bytes - self.last), total_bytes
        else:
            start = self.first
            end = total_bytes if self.last is None else min(self.last + 1, total_bytes)
        if start >= end:
            raise RangeError(total_bytes)
        return start, end


def parse_range(value: bytes) -> ByteRange | None:
    """The single byte range that a Range header asks for; None when it is to be ignored."""
    found = _RANGE.fullmatch(value)
    if found is None:
        return None
    first, last = (_position(digits) for digits in found.groups())
    if first is None and last is None:
        return None
    if first is not None and last is not None and last < first:
        return None
    return ByteRange(first, last)


def _position(digits: bytes) -> int | None:
    """A position of any length; those beyond what can exist are all the same."""
    if not digits:
        return None
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= _POSITION_DIGITS else 10**_POSITION_DIGITS
