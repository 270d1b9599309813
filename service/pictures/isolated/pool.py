"""A pool of decoder processes: each thread that opens a picture has one to itself meanwhile.

A process that dies is started anew. If it had begun, the picture that it had is to blame, and is
refused; else (it was killed while it waited) another one takes the picture, and nobody notices.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from service import same_code
from service.errors import (
    BrokenPictureError,
    DeadlineError,
    DrainingError,
    PictureError,
    PictureTooLargeError,
    UnavailableError,
)
from service.pictures.isolated.wire import EndedError, Wire, receive_made
from service.pictures.making import Job, Made

SPARE_BYTES = 512 * 2**20
"""Address space beside what a header asks for: stacks and arenas of decoders' own threads."""

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""Variables that a process gets, beside PYTHON...: none that may hold a secret."""

TRIES = 3
Reason = Literal["crashed", "processor-time", "deadline", "idle"]
OnDeath = Callable[[Reason, int, str], object]
"""Why a process died, its exit code (under 0: minus the signal), the format that it had."""


class _Child:
    def __init__(self, cpu_seconds: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            words = (theirs.fileno(), SPARE_BYTES, cpu_seconds)
            self.process = subprocess.Popen(
                same_code.command("service.pictures.isolated.child", *words),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what decoders say there is no JSON
                env=same_code.environment(_environment()),
            )
        self.wire = Wire(ours)
        self.has_begun = False

    def ask(self, job: Job, memory_bytes: int, due: Callable[[], float]) -> Made:
        """Raises PictureError, EndedError, TimeoutError."""
        self.has_begun = False
        self.wire.due = due
        bare = replace(job, header=replace(job.header, body=b""))
        self.wire.send_long(pickle.dumps((bare, memory_bytes)))
        self.wire.send_long(job.header.body)
        self.wire.receive(1)
        self.has_begun = True
        return receive_made(self.wire, job)

    def end(self) -> int:
        """The exit code, once it is gone."""
        self.wire.close()
        try:
            return self.process.wait(0.5)  # one that crashes is gone at once, or writes its end
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class DecoderPool:
    """Runs jobs for ``Opener``. Thread-safe."""

    def __init__(self, processes: int, cpu_seconds: int, on_death: OnDeath) -> None:
        """Starts them; a job may take ``cpu_seconds`` of processor time."""
        self._cpu_seconds = cpu_seconds
        self._on_death = on_death
        self._is_closed = False
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._children = [_Child(cpu_seconds) for _ in range(processes)]
        for child in self._children:
            self._idle.put(child)

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the processes that are there."""
        return tuple(child.process.pid for child in self._children)

    def decode(self, job: Job, memory_bytes: int, due: Callable[[], float]) -> Made:
        """Make it in a process; raises what ``make`` raises, and DeadlineError when it is due.

        BrokenPictureError when the picture ended the process, PictureTooLargeError when it took too
        much processor time.
        """
        for _ in range(TRIES):
            child = self._take(due())
            try:
                made = child.ask(job, memory_bytes, due)
            except PictureError:
                self._idle.put(child)
                raise
            except BaseException as error:
                late = isinstance(error, TimeoutError)
                if late:
                    child.process.kill()
                failure = self._bury(child, job.header.format, late)
                if failure is not None:
                    raise failure from error
                if not isinstance(error, EndedError):
                    raise
            else:
                self._idle.put(child)
                return made
        raise UnavailableError("no process to decode in stays alive")

    def close(self) -> None:
        """End all of them, whatever they are doing."""
        self._is_closed = True
        for child in self._children:
            child.process.kill()
            child.end()

    def _take(self, due: float) -> _Child:
        try:
            return self._idle.get(timeout=max(0.0, min(due - time.monotonic(), 3600.0)))
        except queue.Empty:
            raise DeadlineError("no process to decode in became free in time") from None

    def _bury(self, child: _Child, format: str, late: bool) -> Exception | None:
        """Put another in its place. What the picture is to be told, None when it had not begun."""
        code = child.end()
        if self._is_closed:
            return DrainingError("this process is about to stop")
        successor = _Child(self._cpu_seconds)
        self._children[self._children.index(child)] = successor
        self._idle.put(successor)
        if late:
            self._on_death("deadline", code, format)
            return DeadlineError("decoding the picture took too long, and was stopped")
        if not child.has_begun:
            self._on_death("idle", code, "")
            return None
        if code == -signal.SIGXCPU:
            self._on_death("processor-time", code, format)
            return PictureTooLargeError(
                f"decoding took more than {self._cpu_seconds} s of processor time",
                limit=self._cpu_seconds,
            )
        self._on_death("crashed", code, format)
        return BrokenPictureError(f"the {format} ended the process that decoded it")


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(("PYTHON", "LC_"))
    }
    return {**kept, "MALLOC_ARENA_MAX": "2"}  # each arena reserves 64 MiB of address space
