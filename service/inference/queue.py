"""Submits that wait, in their order, counted in pictures."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class Submit(Generic[T, R]):
    """Pictures that came together: how many were sent off, the results so far, who waits.

    ``deadline`` is in the event loop's time, ``queued_at`` in the batcher's clock, both seconds.
    """

    items: Sequence[T]
    deadline: float
    queued_at: float
    future: asyncio.Future[list[R]]
    sent: int = 0
    results: list[R] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Pictures that were not sent off yet."""
        return len(self.items) - self.sent

    def fail(self, error: Exception) -> None:
        """Tell the waiter, unless it left or was told."""
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Part(Generic[T, R]):
    """The pictures of one submit that are in a batch; ``first`` when none of it ran before."""

    submit: Submit[T, R]
    items: Sequence[T]
    first: bool

    def deliver(self, results: Sequence[R]) -> None:
        """Results of these pictures; with its last, the submit is told."""
        submit = self.submit
        submit.results += results
        if len(submit.results) == len(submit.items) and not submit.future.done():
            submit.future.set_result(submit.results)


class Queue(Generic[T, R]):
    """First in, first out, with removal from the middle in constant time. Iterates oldest first."""

    def __init__(self) -> None:
        self._submits: OrderedDict[Submit[T, R], None] = OrderedDict()
        self._depth = 0

    @property
    def depth(self) -> int:
        """Pictures that wait."""
        return self._depth

    def __len__(self) -> int:
        return len(self._submits)

    def __iter__(self) -> Iterator[Submit[T, R]]:
        return iter(self._submits)

    def add(self, submit: Submit[T, R]) -> None:
        """Queue a submit behind all others."""
        self._submits[submit] = None
        self._depth += submit.left

    def remove(self, submit: Submit[T, R]) -> int:
        """Take a submit out; how many of its pictures waited, 0 when it was not in the queue."""
        if submit not in self._submits:
            return 0
        del self._submits[submit]
        self._depth -= submit.left
        return submit.left

    def pictures_until(self, deadline: float) -> int:
        """Pictures whose own deadline is this one or a later."""
        return sum(submit.left for submit in self._submits if submit.deadline >= deadline)

    def cut(self, pictures: int) -> list[Part[T, R]]:
        """Send off the oldest pictures; so many must be there."""
        parts: list[Part[T, R]] = []
        room = pictures
        while room:
            submit = next(iter(self._submits))
            items = submit.items[submit.sent : submit.sent + room]
            parts.append(Part(submit, items, first=not submit.sent))
            submit.sent += len(items)
            room -= len(items)
            if not submit.left:
                del self._submits[submit]
        self._depth -= pictures
        return parts
