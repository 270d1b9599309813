"""When listening ends nobody is turned away who has connected already."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest
import uvloop

from service.serving.server import DrainingServer, listen
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
