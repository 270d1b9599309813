"""Which store the settings ask for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import SecretStr

from service.cache.breaker import Breaker
from service.cache.by_kind import StoreByKind
from service.cache.failures import OnFailure, ignore_failure
from service.cache.memory import MemoryStore
from service.cache.redis.opening import open_client
from service.cache.redis.store import RedisStore
from service.cache.sqlite.store import SqliteStore
from service.cache.store import OnEvent, Store, ignore
from service.errors import ConfigurationError
from service.settings import Settings


def build_store(
    settings: Settings,
    on_event: OnEvent = ignore,
    codecs: Sequence[str] = (),
    photo_codecs: Collection[str] = (),
    on_failure: OnFailure = ignore_failure,
) -> Store:
    """Redis, SQLite or memory. Connects to nothing: Redis may come up later than the service.

    ``codecs`` are the names of all codecs whose streams may be kept, loaded or not; a deletion
    looks for them. The streams of ``photo_codecs`` get bounds, and in Redis connections, of their
    own. Raises ConfigurationError when two stores are asked for, the URL is malformed, or the file
    cannot be opened.
    """
    if settings.redis_url is not None and settings.store_path is not None:
        raise ConfigurationError("set PREFIXEL_REDIS_URL or PREFIXEL_STORE_PATH, not both")
    if settings.photo_redis_url is not None and settings.redis_url is None:
        raise ConfigurationError("PREFIXEL_PHOTO_REDIS_URL needs PREFIXEL_REDIS_URL beside it")
    thumbs = _thumbs(settings, on_event, codecs, on_failure)
    if not photo_codecs:
        return thumbs
    return StoreByKind(
        thumbs, _photos(settings, on_event, codecs, on_failure), frozenset(photo_codecs)
    )


def _thumbs(
    settings: Settings, on_event: OnEvent, codecs: Sequence[str], on_failure: OnFailure
) -> Store:
    if settings.redis_url is not None:
        timeout_ms, connections = settings.redis_timeout_ms, settings.redis_connections
        return _redis(
            settings, settings.redis_url, timeout_ms, connections, codecs, on_event, on_failure
        )
    if settings.store_path is not None:
        return SqliteStore(
            settings.store_path,
            settings.ttl_seconds,
            settings.store_limit_bytes,
            on_event,
            on_failure=on_failure,
        )
    return MemoryStore(settings.memory_bytes, on_event, on_failure)


def _photos(
    settings: Settings, on_event: OnEvent, codecs: Sequence[str], on_failure: OnFailure
) -> Store:
    url = settings.photo_redis_url or settings.redis_url
    if url is not None:
        timeout_ms = settings.photo_redis_timeout_ms
        connections = settings.photo_redis_connections
        return _redis(settings, url, timeout_ms, connections, codecs, on_event, on_failure)
    if settings.store_path is not None:
        path = settings.store_path
        return SqliteStore(
            path.with_name(f"{path.stem}.photos{path.suffix}"),
            settings.ttl_seconds,
            settings.photo_store_limit_bytes,
            on_event,
            on_failure=on_failure,
        )
    return MemoryStore(settings.photo_memory_bytes, on_event, on_failure)


def _redis(
    settings: Settings,
    url: SecretStr,
    timeout_ms: float,
    connections: int,
    codecs: Sequence[str],
    on_event: OnEvent,
    on_failure: OnFailure,
) -> RedisStore:
    def new_breaker() -> Breaker:
        return Breaker(settings.breaker_failures, settings.breaker_seconds, on_event)

    client = open_client(url.get_secret_value(), timeout_ms, connections, new_breaker)
    known = {*codecs, *settings.codecs, settings.default_codec}
    return RedisStore(client, settings.ttl_seconds, tuple(known), on_event, on_failure)
