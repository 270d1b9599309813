"""Submits that wait, taking turns; counted in pictures and in what they cost."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class Submit(Generic[T, R]):
    """Pictures that came together: how many were sent off, the results so far, who waits.

    ``costs`` and ``shapes`` are those of the pictures. ``deadline`` is in the event loop's time,
    ``queued_at`` in the batcher's clock, ``patience`` what lay between the submit and its
    deadline; all in seconds.
    """

    items: Sequence[T]
    costs: Sequence[int]
    shapes: Sequence[Hashable]
    deadline: float
    patience: float
    queued_at: float
    future: asyncio.Future[list[R]]
    sent: int = 0
    results: list[R] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Pictures that were not sent off yet."""
        return len(self.items) - self.sent

    @property
    def cost_left(self) -> int:
        """What those cost together."""
        return sum(self.costs[self.sent :])

    @property
    def next_cost(self) -> int:
        """What the next of them costs; one must be left."""
        return self.costs[self.sent]

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


@dataclass(frozen=True, slots=True)
class Choice(Generic[T, R]):
    """The next pictures of these submits, so many of each, and what they cost together."""

    counts: dict[Submit[T, R], int]
    cost: int


class Queue(Generic[T, R]):
    """Each picture is a turn: whoever had one goes behind the others. Iterates in turn order.

    Removal from the middle takes constant time.
    """

    def __init__(self) -> None:
        self._submits: OrderedDict[Submit[T, R], None] = OrderedDict()
        self._depth = 0
        self._cost = 0

    @property
    def depth(self) -> int:
        """Pictures that wait."""
        return self._depth

    @property
    def cost(self) -> int:
        """What they cost together."""
        return self._cost

    def __len__(self) -> int:
        return len(self._submits)

    def __iter__(self) -> Iterator[Submit[T, R]]:
        return iter(self._submits)

    def add(self, submit: Submit[T, R]) -> None:
        """Queue a submit behind all others."""
        self._submits[submit] = None
        self._depth += submit.left
        self._cost += submit.cost_left

    def remove(self, submit: Submit[T, R]) -> int:
        """Take a submit out; how many of its pictures waited, 0 when it was not in the queue."""
        if submit not in self._submits:
            return 0
        del self._submits[submit]
        self._depth -= submit.left
        self._cost -= submit.cost_left
        return submit.left

    def choose(self, pictures: int, cost_limit: float, deadline: float) -> Choice[T, R] | None:
        """The next ``pictures`` in turn order, all of the first one's shape; None if too few.

        Of submits whose own deadline is this one or a later. Only a single picture may cost more
        than ``cost_limit``.
        """
        turns = deque(submit for submit in self._submits if submit.deadline >= deadline)
        if not turns:
            return None
        shape = turns[0].shapes[turns[0].sent]
        counts: dict[Submit[T, R], int] = {}
        cost = 0
        for _ in range(pictures):
            while turns and turns[0].shapes[turns[0].sent + counts.get(turns[0], 0)] != shape:
                turns.popleft()
            if not turns:
                return None
            submit = turns.popleft()
            count = counts.pop(submit, 0)  # its last turn is its place behind the others
            cost += submit.costs[submit.sent + count]
            counts[submit] = count + 1
            if pictures > 1 and cost > cost_limit:
                return None
            if submit.left > count + 1:
                turns.append(submit)
        return Choice(counts, cost)

    def cut(self, choice: Choice[T, R]) -> list[Part[T, R]]:
        """Send off what was chosen; nothing may have changed since."""
        parts: list[Part[T, R]] = []
        for submit, count in choice.counts.items():
            items = submit.items[submit.sent : submit.sent + count]
            parts.append(Part(submit, items, first=not submit.sent))
            submit.sent += count
            self._depth -= count
            self._submits.move_to_end(submit)
            if not submit.left:
                del self._submits[submit]
        self._cost -= choice.cost
        return parts
