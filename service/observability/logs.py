"""Logs: one JSON object a line on stderr, with the request's id, written by a thread of its own.

The event loop only appends to a bounded queue. What is logged before a picture is decoded is
written at once instead (by the thread that decodes), so that the last line before a crash names
its cause. No line ever holds bytes of an image.
"""

from __future__ import annotations

import json
import logging
import os
import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Literal

request_id: ContextVar[str] = ContextVar("prefixel_request_id", default="")

QUEUE_LINES = 16384
STACK_CHARACTERS = 16_000
FLUSH_SECONDS = 0.05
LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
Level = Literal["debug", "info", "warning", "error"]


def line(event: str, level: Level, members: Mapping[str, object], at: float) -> str:
    """One log line, without its end; ``at`` is in seconds since the epoch."""
    head = {"time": timestamp(at), "level": level, "event": event}
    return json.dumps({**head, **members}, default=str)


def timestamp(at: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return f"{_second(int(at))}.{int(at % 1 * 1000):03}Z"


@lru_cache(maxsize=4)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


class LogWriter:
    """Takes lines from any thread without waiting; a thread of its own writes them.

    A full queue drops the line and counts it; the count is logged when there is room again.
    ``write`` stands for the end of the pipe (stderr by default) and may block, that thread alone.
    """

    def __init__(
        self,
        level: Level = "info",
        write: Callable[[bytes], object] | None = None,
        queue_lines: int = QUEUE_LINES,
    ) -> None:
        self._threshold = LEVELS[level]
        self._write = write or _write_stderr
        self._queue: deque[str] = deque()
        self._limit = queue_lines
        self._dropped = 0
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is left, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        self.flush()

    def takes(self, level: Level) -> bool:
        """Whether lines of this severity are written."""
        return LEVELS[level] >= self._threshold

    def put(self, text: str) -> None:
        """Queue a whole line (no line end); never blocks."""
        if len(self._queue) >= self._limit:
            self._dropped += 1
        else:
            self._queue.append(text)

    def event(self, event: str, level: Level = "info", **members: object) -> None:
        """Queue a line with these members and the id of the request that runs."""
        if self.takes(level):
            self.put(line(event, level, self._with_id(members), time.time()))

    def exception(self, event: str, error: BaseException) -> None:
        """Queue an error with its stack, for whoever runs the service; no client sees it."""
        stack = "".join(traceback.format_exception(error))[-STACK_CHARACTERS:]
        self.event(event, "error", exception=type(error).__name__, stack=stack)

    def event_now(self, event: str, level: Level = "info", **members: object) -> None:
        """Write a line before this returns; may block, so not for the event loop."""
        if self.takes(level):
            self.flush()
            self._out(line(event, level, self._with_id(members), time.time()) + "\n")

    def flush(self) -> None:
        """Write what is queued now."""
        with self._turn:
            lines = [self._queue.popleft() for _ in range(len(self._queue))]
            dropped, self._dropped = self._dropped, 0
            if dropped:
                lines.append(line("log-dropped", "warning", {"lines": dropped}, time.time()))
            for chunk in _chunks(lines):
                self._write(chunk)

    def _out(self, text: str) -> None:
        with self._turn:
            self._write(text.encode())

    @staticmethod
    def _with_id(members: dict[str, object]) -> dict[str, object]:
        current = request_id.get()
        return {"request_id": current, **members} if current else members

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            if self._queue or self._dropped:
                self.flush()


class JsonHandler(logging.Handler):
    """The standard library's records as lines of the same form, stack included."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer
        self._stacks = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record."""
        members: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            members["stack"] = self._stacks.formatException(record.exc_info)
        self._writer.event("log", _level_of(record.levelno), **members)


def _level_of(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def install(writer: LogWriter) -> None:
    """Send everything that goes through ``logging`` to the writer; uvicorn's access log is off."""
    root = logging.getLogger()
    root.handlers[:] = [JsonHandler(writer)]
    root.setLevel(writer._threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a client's fault is no warning


def quote(text: str) -> str:
    """The text as a JSON string, quotes included (for lines built by hand)."""
    return json.dumps(text)


def _chunks(lines: Iterable[str]) -> Iterator[bytes]:
    """Whole lines, at most PIPE_BUF bytes a write: a pipe mixes no such writes of two workers."""
    chunk = bytearray()
    for text in lines:
        data = text.encode() + b"\n"
        if chunk and len(chunk) + len(data) > select.PIPE_BUF:
            yield bytes(chunk)
            chunk.clear()
        chunk += data
    if chunk:
        yield bytes(chunk)


def _write_stderr(data: bytes) -> None:
    view = memoryview(data)
    with suppress(OSError):  # nobody reads the log any more: serving goes on
        while view:
            view = view[os.write(2, view) :]
