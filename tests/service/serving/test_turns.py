"""What many connections want at once goes a few a turn of the loop, in its order."""

from __future__ import annotations

import asyncio

import pytest

from service.serving.connection import _Flow
from service.serving.turns import Turns

pytestmark = pytest.mark.anyio


async def test_so_many_go_in_one_turn_and_the_first_in_is_the_first_out():
    loop, turns, done = asyncio.get_running_loop(), Turns(2), []
    for n in range(5):
        turns.add(loop, lambda n=n: done.append(n))
    seen = []
    for _ in range(4):
        await asyncio.sleep(0)
        seen.append(list(done))
    assert seen == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    turns.add(loop, lambda: done.append(5))
    await asyncio.sleep(0)
    assert done[-1] == 5


class Transport:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.closing = False

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")

    def is_closing(self) -> bool:
        return self.closing


@pytest.mark.parametrize("after", ["nothing", "pause", "hold", "close"])
def test_a_connection_reads_on_in_its_turn_unless_that_was_taken_back(after):
    transport, steps = Transport(), []
    flow = _Flow(transport, steps.append)
    flow.resume_reading()
    assert steps == []  # it reads already
    flow.pause_reading()
    flow.resume_reading()
    flow.resume_reading()
    assert len(steps) == 1
    if after == "pause":
        flow.pause_reading()
    flow.is_held = after == "hold"
    transport.closing = after == "close"
    steps.pop()()
    assert transport.told == (["pause", "resume"] if after == "nothing" else ["pause"])
    assert flow.read_paused == (after != "nothing")
