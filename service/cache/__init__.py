"""Where streams are kept, behind one protocol."""

from service.cache.building import build_store
from service.cache.memory import MemoryStore
from service.cache.redis.store import RedisStore
from service.cache.single_flight import SingleFlight
from service.cache.sqlite.store import SqliteStore
from service.cache.store import Event, Found, Key, OnEvent, Part, Store

__all__ = [
    "Event",
    "Found",
    "Key",
    "MemoryStore",
    "OnEvent",
    "Part",
    "RedisStore",
    "SingleFlight",
    "SqliteStore",
    "Store",
    "build_store",
]
