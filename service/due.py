"""When work is due: a time of the event loop's clock that whoever joins the work may put off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Due:
    """``at`` only ever grows. Belongs to one event loop."""

    def __init__(self, at: float) -> None:
        self.at = at
        self._followers: list[Callable[[float], None]] = []

    def put_off(self, at: float) -> None:
        """Until then, unless it is later already; tells whoever follows."""
        if at > self.at:
            self.at = at
            for follower in self._followers.copy():
                follower(at)

    @contextmanager
    def followed(self, follower: Callable[[float], None]) -> Iterator[None]:
        """Call ``follower`` with every later time while inside."""
        self._followers.append(follower)
        try:
            yield
        finally:
            self._followers.remove(follower)
