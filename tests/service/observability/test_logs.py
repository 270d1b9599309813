"""Logging waits for nobody, loses nothing in silence, and writes one JSON object a line."""

from __future__ import annotations

import json
import logging
import threading
import time

import pytest

from service.observability import logs
from service.observability.logs import LogWriter, line, request_id, timestamp


class Sink:
    """Collects what is written; ``gate`` holds it up like a pipe that nobody reads."""

    def __init__(self) -> None:
        self.data = b""
        self.writes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, data: bytes) -> None:
        self.gate.wait(10)
        self.data += data
        self.writes.append(len(data))

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(text) for text in self.data.splitlines()]


@pytest.fixture
def sink():
    return Sink()


def test_a_line_is_one_json_object_whatever_it_holds():
    text = line("event", "info", {"detail": 'a"b\nc\u2028☃', "path": object}, 0)
    assert "\n" not in text
    assert json.loads(text)["detail"] == 'a"b\nc\u2028☃'


def test_the_time_is_utc_to_the_millisecond():
    assert timestamp(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"


def test_a_blocked_pipe_blocks_nobody_and_what_is_dropped_is_counted(sink):
    writer = LogWriter(write=sink, queue_lines=10)
    sink.gate.clear()
    writer.start()
    begin = time.monotonic()
    writer.event("first")
    time.sleep(3 * logs.FLUSH_SECONDS)  # the writer's thread takes it, and is stuck
    for n in range(100):
        writer.event("more", n=n)
    assert time.monotonic() - begin < 5
    sink.gate.set()
    writer.close()
    events = [one["event"] for one in sink.lines]
    assert events == ["first", *["more"] * 10, "log-dropped"]
    assert sink.lines[-1]["lines"] == 90


def test_a_line_before_a_crash_is_written_when_the_call_returns(sink):
    writer = LogWriter(write=sink)
    writer.event("queued")
    writer.event_now("picture", picture_bytes=3)
    assert [one["event"] for one in sink.lines] == ["queued", "picture"]


def test_lines_carry_the_id_of_their_request(sink):
    writer = LogWriter(write=sink)
    token = request_id.set("r-1")
    try:
        writer.event_now("picture")
    finally:
        request_id.reset(token)
    writer.event_now("none")
    assert [one.get("request_id") for one in sink.lines] == ["r-1", None]


def test_no_write_is_longer_than_what_a_pipe_keeps_together(sink):
    writer = LogWriter(write=sink)
    for n in range(500):
        writer.event("event", n=n, text="x" * (n % 200))
    writer.flush()
    assert [one["n"] for one in sink.lines] == list(range(500))
    assert max(sink.writes) <= 4096


def test_lines_below_the_level_are_not_written(sink):
    writer = LogWriter("warning", write=sink)
    writer.event_now("info", "info")
    writer.event_now("warning", "warning")
    assert [one["event"] for one in sink.lines] == ["warning"]


def test_records_of_the_standard_library_become_lines_with_their_stack(sink):
    handler = logs.JsonHandler(writer := LogWriter(write=sink))
    try:
        raise ValueError("inner")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("a.b", logging.ERROR, __file__, 1, "what %s", ("came",), info)
    handler.emit(record)
    writer.flush()
    (found,) = sink.lines
    assert (found["logger"], found["message"], found["level"]) == ("a.b", "what came", "error")
    assert "ValueError: inner" in str(found["stack"])
