"""When listening ends nobody is turned away who has connected already."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from threading import Thread

import pytest
import uvloop

from service.serving.server import DrainingServer, begin_no_more, listen
from service.serving.services import Lifecycle
from service.settings import Settings
from tests.support.raw import head, read_answer

CLIENTS = 20


async def app(scope, receive, send):
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_connections_that_wait_to_be_accepted_are_answered(run):
    async def main() -> list[int]:
        listener = listen("127.0.0.1", 0)
        address = listener.getsockname()
        server = DrainingServer(app, Settings(), Lifecycle())
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.sleep(0.2)
        assert server.started
        # the loop does not turn here: they are connected, and nobody has accepted them
        clients = [socket.create_connection(address, timeout=5) for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(head("GET", "/", "Connection: close"))
        await server.shutdown([listener])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        answers = [await asyncio.to_thread(read_answer, client) for client in clients]
        for client in clients:
            client.close()
        serving.cancel()
        return [status for status, _, _ in answers]

    assert run(main()) == [200] * CLIENTS


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel has such filters")
def test_a_listener_that_begins_no_more_gives_those_that_wait():
    with listen("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        waits = socket.create_connection(address, timeout=5)
        begin_no_more(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        listener.setblocking(False)
        accepted, _ = listener.accept()
        with pytest.raises(BlockingIOError):
            listener.accept()
        with waits, accepted:
            waits.sendall(b"?")
            accepted.setblocking(True)
            assert accepted.recv(1) == b"?"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel has such filters")
def test_whoever_connects_while_listening_ends_is_answered_or_refused():
    """None is reset, whenever it comes."""
    seen: list[str] = []

    def ask(address: tuple[str, int]) -> None:
        while True:
            try:
                with socket.create_connection(address, timeout=5) as client:
                    client.sendall(head("GET", "/", "Connection: close"))
                    seen.append(str(read_answer(client)[0]))
            except OSError as ended:
                seen.append(type(ended).__name__)
                return

    async def main() -> None:
        listener = listen("127.0.0.1", 0)
        address = listener.getsockname()
        server = DrainingServer(app, Settings(), Lifecycle())
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.sleep(0.1)
        clients = [Thread(target=ask, args=(address,)) for _ in range(4)]
        for client in clients:
            client.start()
        await asyncio.sleep(0.1)
        server.stop(grace_seconds=0)
        await serving
        await asyncio.to_thread(lambda: [client.join() for client in clients])

    for _ in range(3):
        uvloop.run(main())
    assert seen.count("200") > CLIENTS
    assert set(seen) == {"200", "ConnectionRefusedError"}


def test_one_of_several_listeners_leaves_the_socket_to_the_others():
    async def main() -> None:
        listener = listen("127.0.0.1", 0)
        with listener.dup() as other:
            server = DrainingServer(app, Settings(), Lifecycle(), others_listen=lambda: True)
            serving = asyncio.create_task(server.serve([listener]))
            await asyncio.sleep(0.1)
            server.stop(grace_seconds=0)
            await serving
            with socket.create_connection(other.getsockname(), timeout=5):
                other.accept()[0].close()

    asyncio.run(main())


def test_a_full_collection_does_not_walk_what_was_loaded_before_listening():
    """It would stop every request for as long."""

    async def main() -> int:
        server = DrainingServer(app, Settings(), Lifecycle())
        listener = listen("127.0.0.1", 0)
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.sleep(0.2)
        looked_at = len(gc.get_objects())
        server.stop(grace_seconds=0)
        await serving
        return looked_at

    gc.unfreeze()  # of other tests' servers
    loaded = len(gc.get_objects())
    try:
        assert asyncio.run(main()) < loaded / 10
    finally:
        gc.unfreeze()
