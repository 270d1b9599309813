"""All decoders together stay inside one budget, in turn, and nobody waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from service.errors import PictureError, PictureTooLargeError, QueueFullError
from service.pictures import Limits, Opener
from service.pictures.memory import MemoryBudget
from tests.support.photos import encoded


def test_a_share_over_the_whole_budget_is_refused_at_once() -> None:
    budget = MemoryBudget(100, wait_seconds=60)
    with pytest.raises(PictureTooLargeError), budget.hold(101):
        pass
    assert budget.free_bytes == 100


def test_shares_never_exceed_the_budget() -> None:
    budget, held, most, lock = MemoryBudget(100, wait_seconds=60), [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(20):
            with budget.hold(40):
                with lock:
                    held[0] += 40
                    most[0] = max(most[0], held[0])
                time.sleep(0.0005)
                with lock:
                    held[0] -= 40

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 80
    assert budget.free_bytes == 100


def test_a_share_that_does_not_become_free_is_a_503() -> None:
    budget = MemoryBudget(100, wait_seconds=0.02)
    with budget.hold(80), pytest.raises(QueueFullError), budget.hold(30):
        pass
    assert budget.free_bytes == 100
    with budget.hold(100):
        pass


def test_a_large_share_is_not_overtaken_by_small_ones() -> None:
    budget, order = MemoryBudget(100, wait_seconds=60), list[str]()

    def take(name: str, share: int) -> None:
        with budget.hold(share):
            order.append(name)

    with budget.hold(60):
        threads = []
        for name, share in (("large", 90), ("small", 10)):
            threads.append(threading.Thread(target=take, args=(name, share)))
            threads[-1].start()
            time.sleep(0.05)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == ["large", "small"]


def test_a_failure_inside_gives_the_share_back() -> None:
    budget = MemoryBudget(100, wait_seconds=60)
    with pytest.raises(RuntimeError), budget.hold(70):
        raise RuntimeError
    assert budget.free_bytes == 100


def test_a_lease_gives_back_what_it_no_longer_needs() -> None:
    budget = MemoryBudget(100, wait_seconds=60)
    lease = budget.hold(90)
    lease.shrink(30)
    assert (lease.held_bytes, budget.free_bytes) == (30, 70)
    lease.shrink(50)
    assert (lease.held_bytes, budget.free_bytes) == (30, 70)
    lease.release()
    lease.release()
    assert budget.free_bytes == 100


def test_a_share_that_shrinks_wakes_whoever_waits() -> None:
    budget, held = MemoryBudget(100, wait_seconds=60), threading.Event()
    lease = budget.hold(90)

    def wait() -> None:
        with budget.hold(60):
            held.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not held.wait(0.05)
    lease.shrink(40)
    assert held.wait(10)
    thread.join()
    assert budget.free_bytes == 60


def test_a_picture_holds_its_pixels_until_it_is_released() -> None:
    opener = Opener(Limits(decode_memory_bytes=2**24))
    with opener.open(encoded("png")) as picture:
        assert opener.memory.free_bytes == 2**24 - picture.rgb.nbytes
    assert opener.memory.free_bytes == 2**24


@pytest.mark.parametrize("upload", [encoded("png")[:-40], b"GIF89a" + bytes(40)])
def test_a_picture_that_does_not_open_holds_nothing(upload: bytes) -> None:
    opener = Opener(Limits(decode_memory_bytes=2**24))
    with pytest.raises(PictureError):
        opener.open(upload)
    assert opener.memory.free_bytes == 2**24
