"""HTTP by hand over a real socket, for clients that are slow, rude or gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.server import Server

WAIT_SECONDS = 20.0


@contextmanager
def connection(server: Server) -> Iterator[socket.socket]:
    """A socket to the service."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_SECONDS) as sock:
        yield sock


def head(method: str, path: str, *headers: str) -> bytes:
    """A request's head."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def read_answer(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body of the next answer; ConnectionError when cut."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(sock)
    top, _, body = received.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += _more(sock)
    return int(status.split()[1]), headers, body


def is_closed(sock: socket.socket) -> bool:
    """Whether the other side closes (waits for it)."""
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("the connection ended early")
    return data
