"""How many connections a process may take: as many as were asked for, or ``ulimit -n`` leaves.

Past that limit the kernel takes no connection, everybody is reset, and nothing says why. So what
the process has open by now, what it opens to Redis, and a reserve are taken off beforehand.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from service.settings import Settings

RESERVE = 64
"""Connections that are being refused, files that are read, a name that is looked up."""
OPEN_FILES = Path("/dev/fd")


def connections_limit(settings: Settings) -> int:
    """The smaller of both. Raises ConfigurationError when that leaves none."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return settings.connections_limit
    taken = len(list(OPEN_FILES.iterdir())) + _redis_connections(settings) + RESERVE
    if allowed <= taken:
        raise ConfigurationError(
            f"ulimit -n is {allowed}, and {taken} files are needed before the first connection;"
            f" raise it to {taken + settings.connections_limit}"
        )
    return min(settings.connections_limit, allowed - taken)


def _redis_connections(settings: Settings) -> int:
    if settings.redis_url is None:
        return 0
    return settings.redis_connections + settings.photo_redis_connections
