"""Whether a photo that comes in now can be encoded by its deadline, foretold from its headers.

Far more photos at once than there is time for would all be read, opened and then told 504. So work
is counted from when its body is taken in: what would end too late hears 503 at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.codec.interface import Codec, Size
from service.errors import QueueFullError
from service.serving.batchers import SECOND

SHARE = 0.6
"""Of the deadline; in the rest pictures are opened, on the same cores, and streams are kept."""
PIXELS_A_BYTE = 4
"""Of files that photos come in: two bits a pixel, as of a JPEG that is hardly good."""


class Forecast:
    """One codec's. Belongs to the event loop."""

    def __init__(
        self,
        codec: Codec,
        seconds: Callable[[int], float],
        photo_side: int,
        deadline_seconds: float,
    ) -> None:
        """``seconds`` says what work of a cost takes, 0 where nobody knows; photos have a long side
        of ``photo_side`` at most.
        """
        self._codec, self._seconds, self._side = codec, seconds, photo_side
        self._limit = SHARE * deadline_seconds
        self._pending = 0

    @contextmanager
    def expected(self, body_bytes: int | None) -> Iterator[None]:
        """Count the photo in a body of such a length (None: unknown) until its work is over.

        Raises QueueFullError when it would have to wait for too long. One alone is always taken.
        """
        cost = self._codec.cost(self._largest(body_bytes))
        ahead = self._in_seconds(self._pending + cost)
        if self._pending and ahead > self._limit:
            raise QueueFullError(f"photos for {ahead:.1f} s are in work already")
        self._pending += cost
        try:
            yield
        finally:
            self._pending -= cost

    def _in_seconds(self, cost: int) -> float:
        largest = self._codec.cost(self._largest(None))
        known = self._seconds(largest)
        return cost * (known / largest if known else 1 / SECOND)

    def _largest(self, body_bytes: int | None) -> Size:
        """That a file of so many bytes is likely to hold."""
        rows = self._side if body_bytes is None else PIXELS_A_BYTE * body_bytes // self._side
        return Size(self._side, max(1, min(self._side, rows)))
