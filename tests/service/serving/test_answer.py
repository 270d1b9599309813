"""An answer's head and body leave together."""

from __future__ import annotations

from service.serving.answer import AnswerTransport


class Recorded:
    """What was written, a write each, and that it was closed."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def close(self) -> None:
        self.seen.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.seen


def written(*data: bytes, closes: bool = False) -> list[bytes]:
    transport = Recorded()
    answer = AnswerTransport(transport)  # type: ignore[arg-type]
    for one in data:
        answer.write(one)
    if closes:
        answer.close()
    assert answer.is_closing() == closes
    return transport.seen


def test_a_head_leaves_with_the_first_bytes_of_the_body():
    assert written(b"head", b"body") == [b"headbody"]
    assert written(b"head", b"one", b"two") == [b"headone", b"two"]


def test_a_head_without_a_body_leaves_when_the_body_ends_or_the_connection_does():
    assert written(b"head", b"") == [b"head"]
    assert written(b"head", closes=True) == [b"head", b"closed"]
    assert written(closes=True) == [b"closed"]


def test_a_client_that_waits_to_send_its_body_is_told_at_once():
    hundred = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert written(hundred) == [hundred]
    assert written(hundred, b"head", b"body") == [hundred, b"headbody"]
