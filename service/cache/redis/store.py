"""Streams in Redis: one write a read, one write a put, and a breaker around all of it.

    px:{id}:codec        length and hash of the stream, then the stream (value.py)
    px:{id}:codec:meta   what was put beside it
    px:{id}              the set of codecs that were put

The braces are the Cluster's hash tag: all that is known of an image lies in one slot. Every key
lives ``ttl_seconds`` from its put; within that, Redis' own eviction decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

from redis.exceptions import RedisError, ResponseError

from service.cache.breaker import Breaker
from service.cache.failures import OnFailure, ignore_failure, kind_of
from service.cache.redis.client import Client, Command
from service.cache.redis.connection import Reply
from service.cache.redis.value import HEAD_BYTES, CorruptValueError, pack, unpack
from service.cache.store import Found, Key, OnEvent, Part, ignore
from service.errors import CacheUnavailableError

T = TypeVar("T")
P = ParamSpec("P")

# Bytes that may come along unasked: less than what a transaction costs.
NEAR_BYTES = 256


class RedisStore:
    """Every failure of Redis is a CacheUnavailableError here; belongs to one event loop."""

    name = "redis"

    def __init__(
        self,
        client: Client,
        ttl_seconds: int,
        breaker: Breaker,
        codecs: Sequence[str] = (),
        on_event: OnEvent = ignore,
        on_failure: OnFailure = ignore_failure,
    ) -> None:
        """``codecs`` are the names that a deletion knows of without asking Redis."""
        self._client = client
        self._ttl_seconds = ttl_seconds
        self._breaker = breaker
        self._codecs = frozenset(codecs) | {""}
        self._on_event = on_event
        self._on_failure = on_failure

    async def put(self, key: Key, stream: bytes, meta: bytes) -> None:
        """Keep it for ``ttl_seconds``.

        One batch, no transaction: the stream is written last, so whoever sees it also finds its
        meta, and a deletion finds it.
        """
        codecs = _codecs_key(key.image_id)
        await self._ask(
            self._batch,
            (
                ("SADD", codecs, key.codec),
                ("EXPIRE", codecs, self._ttl_seconds),
                ("SET", _meta_key(key), meta, "EX", self._ttl_seconds),
                ("SET", _stream_key(key), pack(stream), "EX", self._ttl_seconds),
            ),
        )

    async def read(self, key: Key, start: int = 0, stop: int | None = None) -> Part | None:
        """Bytes ``start`` to ``stop`` (None: to the end), or None when nothing whole is kept there.

        From the begin, head and bytes are one range of the value. From further on they are two,
        in a transaction, so that the head of one stream never comes with the bytes of another.
        """
        if start < NEAR_BYTES:
            reply = await self._ask(self._client.call, *_get(key, 0, stop))
            return self._unpack(reply, start, stop)
        ranges = (_get(key, 0, 0), _get(key, HEAD_BYTES + start, stop))
        head, data = await self._ask(self._client.transaction, ranges)
        return self._checked(head, data, start, stop)

    async def meta(self, key: Key) -> bytes | None:
        """What was put beside the stream, or None when nothing is kept there."""
        reply = await self._ask(self._client.call, "GET", _meta_key(key))
        self._on_event("miss" if reply is None else "hit")
        return reply if isinstance(reply, bytes) else None

    async def many(self, keys: Sequence[Key], n: int) -> list[Found]:
        """The first ``n`` bytes of each, in the order of ``keys``, from one batch."""
        if not keys:
            return []
        replies = await self._ask(self._each, [_get(key, 0, n) for key in keys])
        return [self._found(reply, n) for reply in replies]

    async def delete(self, image_id: str) -> bool:
        """Drop the image's document and all its streams; whether anything was there.

        Its codecs come from the image's own set, which knows those of other versions of this
        service; and from the names this one was given, because an eviction may take the set (it
        is written and hardly ever read) before the streams. No SCAN: that walks the whole database.
        """
        codecs = _codecs_key(image_id)
        members = await self._ask(self._client.call, "SMEMBERS", codecs)
        names = sorted(self._codecs | _words(members))
        keys = [_stream_key(Key(image_id, name)) for name in names]
        keys += [_meta_key(Key(image_id, name)) for name in names]
        # The names leave the set one by one: a codec that is put meanwhile stays known.
        deletion: Sequence[Command] = (("DEL", *keys), ("SREM", codecs, *names))
        deleted, _ = await self._ask(self._batch, deletion)
        return deleted != 0

    async def health(self) -> bool:
        """Whether Redis answers in time; False at once while the breaker is open."""
        try:
            await self._ask(self._client.call, "PING")
        except CacheUnavailableError:
            return False
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()

    async def _batch(self, commands: Sequence[Command]) -> list[Reply]:
        replies = await self._client.batch(commands)
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    async def _each(self, commands: Sequence[Command]) -> list[Reply]:
        replies = await self._client.batch(commands)
        failed = [reply for reply in replies if isinstance(reply, RedisError)]
        if len(failed) == len(replies) and kind_of(failed[0]) != "wrong-type":
            raise failed[0]
        return replies

    def _found(self, reply: Reply, n: int) -> Found:
        """A value that is not a string is no stream: absent, and the next upload replaces it."""
        if not isinstance(reply, RedisError):
            return self._unpack(reply, 0, n)
        kind = kind_of(reply)
        self._on_failure(kind, str(reply))
        if kind == "wrong-type":
            self._on_event("corrupt")
            self._on_event("miss")
            return None
        self._on_event("error")
        return CacheUnavailableError()

    async def _ask(self, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            ticket = self._breaker.admit()
        except CacheUnavailableError:
            self._on_event("error")
            raise
        try:
            answer = await ask(*args, **kwargs)
        except (RedisError, OSError) as error:
            self._on_failure(kind_of(error), str(error))
            # A refusal (no memory left, read only) comes at once: the breaker has no part in it.
            if isinstance(error, ResponseError):
                self._breaker.answered(ticket)
            else:
                self._breaker.failed(ticket)
            self._on_event("error")
            raise CacheUnavailableError from error
        except CacheUnavailableError as busy:
            self._on_failure("busy", busy.detail)
            self._breaker.left(ticket)
            self._on_event("error")
            raise
        except BaseException:
            self._breaker.left(ticket)
            raise
        self._breaker.answered(ticket)
        return answer

    def _unpack(self, reply: Reply, start: int, stop: int | None) -> Part | None:
        """A value from its first byte on, up to ``stop`` of its stream."""
        if not isinstance(reply, bytes):
            return self._checked(b"", b"", start, stop)
        return self._checked(reply[:HEAD_BYTES], reply[HEAD_BYTES + start :], start, stop)

    def _checked(self, head: Reply, data: Reply, start: int, stop: int | None) -> Part | None:
        part = None
        try:
            if isinstance(head, bytes) and isinstance(data, bytes):
                part = unpack(head, data, start, stop)
        except CorruptValueError as wrong:
            self._on_event("corrupt")
            self._on_failure("corrupt", str(wrong))
        self._on_event("miss" if part is None else "hit")
        return part


def _codecs_key(image_id: str) -> str:
    return f"px:{{{image_id}}}"


def _stream_key(key: Key) -> str:
    return f"px:{{{key.image_id}}}:{key.codec}"


def _meta_key(key: Key) -> str:
    return f"px:{{{key.image_id}}}:{key.codec}:meta"


def _get(key: Key, first: int, stop: int | None) -> Command:
    """From byte ``first`` of the value on, up to byte ``stop`` of the stream (None: the end)."""
    return ("GETRANGE", _stream_key(key), first, -1 if stop is None else HEAD_BYTES + stop - 1)


def _words(members: Reply) -> set[str]:
    """The names in a set's reply: a list from a server, a set from the cluster's client."""
    if not isinstance(members, list | set):
        return set()
    return {member.decode() for member in members if isinstance(member, bytes)}
