"""Streams in Redis: one command a read, one a put.

    px:{id}:codec   length and hash of the stream, then the stream (value.py)
    px:{id}.notes   what is known of the image and of each stream, by the names of codecs

The braces are the Cluster's hash tag: all that is known of an image lies in one slot. A key lives
``ttl_seconds`` from when it was written; within that, Redis' own eviction decides.

Read for one more release, and deleted, is what version 0.1 wrote: ``px:{id}:codec:meta`` (one note
each) and ``px:{id}`` (the set of names).
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

from redis.exceptions import RedisError

from service.cache.breaker import BreakerOpenError
from service.cache.failures import FailureKind, OnFailure, ignore_failure, kind_of
from service.cache.redis import scripts
from service.cache.redis.client import Client, Command
from service.cache.redis.connection import Reply
from service.cache.redis.value import (
    FRONT_BYTES,
    HEAD_BYTES,
    NOTE_BYTES,
    CorruptValueError,
    pack,
    unpack,
    unpack_notes,
)
from service.cache.store import Found, Key, OnEvent, Part, ignore
from service.errors import CacheUnavailableError

T = TypeVar("T")
P = ParamSpec("P")

# Bytes that may come along unasked: less than what a script costs.
NEAR_BYTES = 256
# Another upload may write between the reading of an image's notes and their deletion.
_DELETIONS = 4


class WrongTypeError(Exception):
    """A key of ours holds something that is no string: somebody else's, and no stream."""


class RedisStore:
    """Every failure of Redis is a CacheUnavailableError here; belongs to one event loop."""

    name = "redis"

    def __init__(
        self,
        client: Client,
        ttl_seconds: int,
        codecs: Sequence[str] = (),
        on_event: OnEvent = ignore,
        on_failure: OnFailure = ignore_failure,
    ) -> None:
        """``codecs`` are the names that a deletion knows of without asking Redis."""
        self._client = client
        self._ttl_seconds = ttl_seconds
        self._codecs = frozenset(codecs) | {""}
        self._on_event = on_event
        self._on_failure = on_failure

    async def put(self, key: Key, stream: bytes, meta: bytes) -> bool:
        """Keep it for ``ttl_seconds`` unless a stream of its whole length is there.

        Stream and note in one step, so whoever sees the one finds the other, and a deletion both.
        """
        note = _checked_note(meta)
        words = (pack(stream), key.codec, note, self._ttl_seconds)
        return await self._run(scripts.PUT, (_stream_key(key), _notes_key(key)), words) == 1

    async def note(self, key: Key, meta: bytes) -> None:
        """Keep it among the image's notes, which live ``ttl_seconds`` from now."""
        words = (key.codec, _checked_note(meta), self._ttl_seconds)
        await self._run(scripts.NOTE, (_stream_key(key), _notes_key(key)), words)

    async def drop(self, key: Key, digest: bytes) -> None:
        """Drop the stream of that hash."""
        await self._run(scripts.DROP, (_stream_key(key),), (digest,))

    def report(self, cause: str) -> None:
        """Count what was found damaged, and tell why."""
        self._on_event("corrupt")
        self._on_failure("corrupt", cause)

    async def read(self, key: Key, start: int = 0, stop: int | None = None) -> Part | None:
        """Bytes ``start`` to ``stop`` (None: to the end), or None when nothing whole is kept there.

        From the begin, head and bytes are one range of the value. From further on they are two,
        in one step, so that the head of one stream never comes with the bytes of another.
        """
        try:
            if start < NEAR_BYTES:
                value = await self._ask(self._client.call, *_get(key, stop))
                found = self._unpacked(value, start, stop)
            else:
                last = -1 if stop is None else HEAD_BYTES + stop - 1
                words = (0, FRONT_BYTES - 1, HEAD_BYTES + start, last)
                both = await self._run(scripts.RANGES, (_stream_key(key),), words)
                front, data = both if isinstance(both, list) else (None, None)
                found = self._checked(front, data, start, stop)
        except WrongTypeError:
            found = b""
        return await self._whole(key, found)

    async def meta(self, key: Key) -> bytes | None:
        """What was put beside the stream, or None when nothing is kept there."""
        keys = (_notes_key(key), _old_meta_key(key))
        reply = await self._ask(self._client.call, "MGET", *keys)
        packed, old = reply if isinstance(reply, list) else (None, None)
        notes = self._notes(packed)
        found = notes.get(key.codec, old)
        self._on_event("miss" if found is None else "hit")
        return found if isinstance(found, bytes) else None

    async def many(self, keys: Sequence[Key], n: int) -> list[Found]:
        """The first ``n`` bytes of each, in the order of ``keys``, from one batch."""
        if not keys:
            return []
        replies = await self._ask(self._each, [_get(key, n) for key in keys])
        found: list[Found] = []
        for key, reply in zip(keys, replies, strict=True):
            if isinstance(reply, CacheUnavailableError):
                self._on_event("error")
                found.append(reply)
            else:
                found.append(await self._whole(key, self._unpacked(reply, 0, n)))
        return found

    async def delete(self, image_id: str) -> bool:
        """Drop the image's document and all its streams; whether anything was there.

        Its codecs come from the image's own notes, which know those of other versions of this
        service; and from the names this one was given, because an eviction may take the notes
        before the streams. No SCAN: that walks the whole database.
        """
        image = Key(image_id, "")
        for _ in range(_DELETIONS):
            commands = (("GET", _notes_key(image)), ("SMEMBERS", _old_codecs_key(image_id)))
            packed, members = await self._ask(self._each, commands)
            if isinstance(packed, CacheUnavailableError):
                raise packed
            names = sorted(self._codecs | self._notes(packed).keys() | _words(members))
            all_keys = [Key(image_id, name) for name in names]
            keys = (
                _notes_key(image),
                *map(_stream_key, all_keys),
                *map(_old_meta_key, all_keys),
                _old_codecs_key(image_id),
            )
            read = packed if isinstance(packed, bytes) else b""
            deleted = await self._run(scripts.DELETE, keys, (read,))
            if deleted != -1:
                return deleted != 0
        raise CacheUnavailableError("the image is being written; delete it again")

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

    async def _run(
        self, script: str, keys: Sequence[str], words: Sequence[bytes | str | int]
    ) -> Reply:
        try:
            return await self._ask(self._client.call, "EVAL", script, len(keys), *keys, *words)
        except WrongTypeError as wrong:  # none of the scripts stumbles over a type
            raise CacheUnavailableError from wrong

    async def _each(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies; in the place of one that failed alone is the error that it means."""
        replies = await self._client.batch(commands)
        failed = [reply for reply in replies if isinstance(reply, Exception)]
        if len(failed) == len(replies) and kind_of(failed[0]) != "wrong-type":
            raise failed[0]
        return [self._alone(reply) if isinstance(reply, Exception) else reply for reply in replies]

    def _alone(self, error: Exception) -> Reply:
        if isinstance(error, BreakerOpenError):
            return error
        kind = self._failed(error)
        return WrongTypeError() if kind == "wrong-type" else CacheUnavailableError()

    def _failed(self, error: Exception) -> FailureKind:
        kind: FailureKind
        if isinstance(error, CacheUnavailableError):
            kind, cause = "busy", error.detail
        else:
            kind, cause = kind_of(error), str(error)
        self._on_failure(kind, cause)
        return kind

    async def _ask(self, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await ask(*args, **kwargs)
        except BreakerOpenError:
            self._on_event("error")
            raise
        except (RedisError, OSError, CacheUnavailableError) as error:
            if self._failed(error) == "wrong-type":
                raise WrongTypeError from error
            self._on_event("error")
            if isinstance(error, CacheUnavailableError):
                raise
            raise CacheUnavailableError from error

    def _notes(self, packed: Reply) -> dict[str, bytes]:
        try:
            return unpack_notes(packed) if isinstance(packed, bytes) else {}
        except CorruptValueError as wrong:
            self.report(str(wrong))
            return {}

    def _unpacked(self, value: Reply, start: int, stop: int | None) -> Part | bytes | None:
        """A value from its first byte on, up to ``stop`` of its stream; see ``_checked``."""
        if isinstance(value, WrongTypeError):
            return b""
        if not isinstance(value, bytes):
            return None
        end = None if stop is None else HEAD_BYTES + stop
        return self._checked(value[:FRONT_BYTES], value[HEAD_BYTES + start : end], start, stop)

    def _checked(
        self, front: Reply, data: Reply, start: int, stop: int | None
    ) -> Part | bytes | None:
        """A part; None where there is none; the hash in its head where the value is damaged."""
        if isinstance(front, Exception):
            self._alone(front)
            return b""
        try:
            if isinstance(front, bytes) and isinstance(data, bytes):
                return unpack(front, data, start, stop)
        except CorruptValueError as wrong:
            self._on_failure("corrupt", str(wrong))
            return wrong.digest
        return None

    async def _whole(self, key: Key, found: Part | bytes | None) -> Part | None:
        """What was found, counted; a stream that is not what its head says is dropped."""
        if isinstance(found, Part):
            self._on_event("hit")
            return found
        if found is not None:
            self._on_event("corrupt")
        self._on_event("miss")
        if found:
            with contextlib.suppress(CacheUnavailableError):
                await self.drop(key, found)
        return None


def _notes_key(key: Key) -> str:
    return f"px:{{{key.image_id}}}.notes"


def _stream_key(key: Key) -> str:
    return f"px:{{{key.image_id}}}:{key.codec}"


def _old_codecs_key(image_id: str) -> str:
    return f"px:{{{image_id}}}"


def _old_meta_key(key: Key) -> str:
    return f"px:{{{key.image_id}}}:{key.codec}:meta"


def _checked_note(meta: bytes) -> bytes:
    if len(meta) > NOTE_BYTES:
        raise ValueError(f"a note has at most {NOTE_BYTES} bytes, not {len(meta)}")
    return meta


def _get(key: Key, stop: int | None) -> Command:
    """A value up to byte ``stop`` of its stream (None: the end), and beyond its front."""
    last = -1 if stop is None else max(HEAD_BYTES + stop, FRONT_BYTES) - 1
    return ("GETRANGE", _stream_key(key), 0, last)


def _words(members: Reply) -> set[str]:
    """The names in a set's reply: a list from a server, a set from the cluster's client."""
    if not isinstance(members, list | set):
        return set()
    return {member.decode() for member in members if isinstance(member, bytes)}
