"""Decoders in processes: the same pictures, and what ends one process ends one upload."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from service.errors import (
    BrokenPictureError,
    DeadlineError,
    PictureError,
    PictureTooLargeError,
    UnsupportedPictureError,
)
from service.pictures import FORMATS, Limits, Opener
from service.pictures.isolated import pool as pool_module
from service.pictures.isolated.pool import DecoderPool
from tests.support.photos import encoded, plain_png
from tests.support.server import eventually
from tests.support.variants import variants

CPU_SECONDS = 7


class Decoders:
    """A pool of two, an opener that uses it, and what died."""

    def __init__(self) -> None:
        self.deaths: list[tuple[object, ...]] = []
        self.pool = DecoderPool(2, CPU_SECONDS, lambda *death: self.deaths.append(death))
        self.opener = Opener(Limits(), self.pool.decode)

    def busy(self) -> int:
        """The process that decodes now."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [one.process.pid for one in self.pool._children if one.has_begun]
            return bool(found)

        eventually(look)
        return found[0]


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    made = Decoders()
    yield made
    made.pool.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Decoders]:
    made = Decoders()
    yield made
    assert made.deaths == []
    made.pool.close()


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_is_the_same_as_in_a_thread(shared: Decoders, format: str) -> None:
    here = Opener(Limits())
    for name, upload in variants(format).items():
        for side in (None, 300):
            wanted = here.open(upload, photo_side=side, background=(9, 8, 7))
            found = shared.opener.open(upload, photo_side=side, background=(9, 8, 7))
            assert (found.width, found.height, found.format) == (
                wanted.width,
                wanted.height,
                wanted.format,
            ), name
            assert (found.rgb == wanted.rgb).all(), name
            assert found.rgb.flags.writeable
            if side:
                assert found.photo is not None
                assert wanted.photo is not None
                assert np.array_equal(found.photo, wanted.photo), name
            found.release()


@pytest.mark.parametrize(
    "upload",
    [b"nothing", encoded("png")[:-40], encoded("jpeg")[:400], encoded("webp")[:200]],
)
def test_a_refusal_is_the_same_as_in_a_thread(shared: Decoders, upload: bytes) -> None:
    said = []
    for opener in (Opener(Limits()), shared.opener):
        with pytest.raises(PictureError) as wrong:
            opener.open(upload)
        said.append((type(wrong.value), wrong.value.detail, wrong.value.members))
    assert said[0] == said[1]
    assert said[0][0] in {BrokenPictureError, UnsupportedPictureError}


def test_what_ends_its_process_is_refused_and_the_next_one_opens(decoders: Decoders) -> None:
    with ThreadPoolExecutor(2) as threads:
        victim = threads.submit(decoders.opener.open, plain_png(6000))
        os.kill(decoders.busy(), signal.SIGSEGV)
        beside = threads.submit(decoders.opener.open, encoded("png"))
        with pytest.raises(BrokenPictureError, match="the png ended the process"):
            victim.result(30)
        assert beside.result(30).rgb.shape == (32, 32, 3)
    assert decoders.deaths == [("crashed", -signal.SIGSEGV, "png")]
    assert decoders.opener.memory.free_bytes < decoders.opener.limits.decode_memory_bytes
    for _ in range(4):
        decoders.opener.open(encoded("jpeg")).release()


def test_nobody_notices_that_processes_died_which_had_nothing_to_do(decoders: Decoders) -> None:
    for pid in decoders.pool.pids:
        os.kill(pid, signal.SIGKILL)
    for _ in range(4):
        decoders.opener.open(encoded("jpeg")).release()
    assert [death[0] for death in decoders.deaths] == ["idle", "idle"]


def test_what_is_due_is_killed(decoders: Decoders) -> None:
    upload = plain_png(8000)
    decoders.opener.open(encoded("png")).release()  # it has started
    begin = time.monotonic()
    with pytest.raises(DeadlineError):
        decoders.opener.open(upload, due=lambda: begin + 0.3)
    assert time.monotonic() - begin < 1
    assert decoders.deaths == [("deadline", -signal.SIGKILL, "png")]
    assert decoders.opener.memory.free_bytes == decoders.opener.limits.decode_memory_bytes


def test_too_much_processor_time_is_refused_as_such(decoders: Decoders) -> None:
    with ThreadPoolExecutor(1) as threads:
        victim = threads.submit(decoders.opener.open, plain_png(6000))
        os.kill(decoders.busy(), signal.SIGXCPU)
        with pytest.raises(PictureTooLargeError, match="more than 7 s of processor time"):
            victim.result(30)


def test_too_much_memory_is_refused_and_the_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "SPARE_BYTES", 2**22)
    decoders = Decoders()
    try:
        opener = Opener(Limits(), lambda job, _memory, due: decoders.pool.decode(job, 0, due))
        with pytest.raises(PictureTooLargeError, match="more memory"):
            opener.open(plain_png(4000))
        opener.open(encoded("jpeg"))
        assert decoders.deaths == []
    finally:
        decoders.pool.close()


def test_a_process_has_limits_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFIXEL_ID_KEY", "secret-of-the-house")
    decoders = Decoders()
    try:
        for _ in range(4):
            decoders.opener.open(encoded("jpeg"))
        limited = 0
        for pid in decoders.pool.pids:
            folder = Path(f"/proc/{pid}")
            assert b"secret-of-the-house" not in (folder / "environ").read_bytes()
            text = (folder / "limits").read_text()
            limits = {
                name: re.search(rf"^{name} +(\d+|unlimited)", text, re.MULTILINE)[1]  # type: ignore[index]
                for name in ("Max cpu time", "Max address space", "Max core file size")
            }
            assert limits["Max core file size"] == "0"
            if limits["Max cpu time"] != "unlimited":  # it had one of the pictures
                limited += 1
                assert CPU_SECONDS <= int(limits["Max cpu time"]) <= 2 * CPU_SECONDS
                assert int(limits["Max address space"]) < 4 * 2**30
        assert limited
    finally:
        decoders.pool.close()
