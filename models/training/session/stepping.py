"""How a step is run: as it is written, or as one captured graph; with fused cells or without.

A step of these networks is thousands of small operations, so that what starts them costs more than
what computes them. A captured CUDA graph starts them all at once. Fusing what lies between the
convolutions of a cell makes them fewer. Both give the same training; neither works everywhere,
so ``probe`` tries them first, in a process of its own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
import torch._dynamo

from models.zoo.toderici2016 import cells

MODES = "eager", "graph", "compiled", "compiled-graph"
Step = Callable[[], None]
WARM_UP = 3
AHEAD = 2
"""Steps that may be under way when the next is started."""


def fuse_cells() -> None:
    """Compile what the cells compute between convolutions, for the whole process."""
    torch._dynamo.config.recompile_limit = 64
    for name in ("gru_gates", "gru_state", "lstm"):
        setattr(cells, name, torch.compile(getattr(cells, name), dynamic=True))


def plain() -> AbstractContextManager[object]:
    """Where nothing is compiled: what runs once is not worth it."""
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def mend_chance(device: str) -> None:
    """After a capture that failed the device's generator may believe that it goes on: a new one."""
    fresh = torch.Generator(device)
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    generator.graphsafe_set_state(fresh.graphsafe_get_state())


def captured(step: Step) -> tuple[Step, int]:
    """A step as a CUDA graph, and how many steps were taken before it was captured."""
    torch.cuda.empty_cache()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay, WARM_UP


class Pace:
    """Keeps the host at most ``AHEAD`` steps before the device, so that a time limit holds."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.under_way: deque[torch.cuda.Event] = deque()

    def after(self, step: Step) -> None:
        """Start a step; wait for an earlier one if there are many."""
        step()
        if not self.device.startswith("cuda"):
            return
        event = torch.cuda.Event()
        event.record()
        self.under_way.append(event)
        if len(self.under_way) > AHEAD:
            self.under_way.popleft().synchronize()

    def finish(self) -> None:
        """Wait for all."""
        self.under_way.clear()
        synchronize(self.device)


def synchronize(device: str) -> None:
    """Wait for the device."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def rate(step: Step, device: str, seconds: float) -> tuple[float, int]:
    """Steps a second, and how many were taken, over so many seconds."""
    synchronize(device)
    pace, began, steps = Pace(device), time.monotonic(), 0
    while steps == 0 or time.monotonic() - began < seconds:
        pace.after(step)
        steps += 1
    pace.finish()
    return steps / (time.monotonic() - began), steps
