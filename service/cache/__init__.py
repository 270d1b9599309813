"""Where streams are kept, behind one protocol."""

from service.cache.building import build_store
from service.cache.memory import MemoryStore
from service.cache.protocol import Event, Key, OnEvent, Prefix, Store
from service.cache.redis import RedisStore
from service.cache.single_flight import SingleFlight
from service.cache.sqlite import SqliteStore

__all__ = [
    "Event",
    "Key",
    "MemoryStore",
    "OnEvent",
    "Prefix",
    "RedisStore",
    "SingleFlight",
    "SqliteStore",
    "Store",
    "build_store",
]
