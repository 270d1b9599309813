"""Which store the settings ask for."""

from __future__ import annotations

from collections.abc import Sequence

from service.cache.breaker import Breaker
from service.cache.memory import MemoryStore
from service.cache.redis.client import open_client
from service.cache.redis.store import RedisStore
from service.cache.sqlite.store import SqliteStore
from service.cache.store import OnEvent, Store, ignore
from service.errors import ConfigurationError
from service.settings import Settings


def build_store(
    settings: Settings, on_event: OnEvent = ignore, codecs: Sequence[str] = ()
) -> Store:
    """Redis, SQLite or memory. Connects to nothing: Redis may come up later than the service.

    ``codecs`` are the names of all codecs whose streams may be kept, loaded or not; a deletion
    looks for them. Raises ConfigurationError when two stores are asked for, the URL is malformed,
    or the file cannot be opened.
    """
    if settings.redis_url is not None and settings.store_path is not None:
        raise ConfigurationError("set PREFIXEL_REDIS_URL or PREFIXEL_STORE_PATH, not both")
    if settings.redis_url is not None:
        client = open_client(
            settings.redis_url.get_secret_value(),
            settings.redis_timeout_ms,
            settings.redis_connections,
        )
        breaker = Breaker(settings.breaker_failures, settings.breaker_seconds, on_event)
        known = {*codecs, *settings.codecs, settings.default_codec}
        return RedisStore(client, settings.ttl_seconds, breaker, tuple(known), on_event)
    if settings.store_path is not None:
        return SqliteStore(
            settings.store_path, settings.ttl_seconds, settings.store_limit_bytes, on_event
        )
    return MemoryStore(settings.memory_bytes, on_event)
