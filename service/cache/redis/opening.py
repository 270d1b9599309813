"""Which client a Redis URL asks for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from redis.exceptions import RedisClusterException, RedisError

from service.cache.breaker import Breaker
from service.cache.redis.client import Client, ServerClient
from service.cache.redis.cluster import ClusterClient
from service.errors import ConfigurationError


def open_client(
    url: str, timeout_ms: float, connections: int, new_breaker: Callable[[], Breaker]
) -> Client:
    """A client of ``url``; nothing is connected yet.

    The scheme is redis, rediss (TLS) or unix for one server, redis+cluster or rediss+cluster for a
    cluster, of which several nodes may be named: HOST:PORT,HOST:PORT. ``new_breaker`` is asked for
    one a server. Raises ConfigurationError, which never repeats the URL: it may hold a password.
    """
    scheme = urlsplit(url).scheme
    server, plus, cluster = scheme.partition("+")
    try:
        if server in ("redis", "rediss", "unix") and not plus:
            return ServerClient(url, timeout_ms, connections, new_breaker())
        if server in ("redis", "rediss") and cluster == "cluster":
            return ClusterClient(server + url[len(scheme) :], timeout_ms, connections, new_breaker)
    except (ValueError, RedisError, RedisClusterException) as error:
        raise ConfigurationError("the Redis URL is malformed") from error
    raise ConfigurationError(
        f"a Redis URL begins with redis://, rediss://, unix:// or redis+cluster://, not {scheme!r}"
    )
