"""What the service and a decoder process say to each other, over a socket.

    service -> process   length, a pickled job without its file; length, the file
    process -> service   one byte when it begins; length, JSON; the pixels

Lengths are 8 bytes, the lowest first. The process is not trusted: it may have been taken over by
a file. So what it says is JSON of a bounded length, and every number in it is checked.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Callable

import numpy as np

from service.codec.geometry import Size
from service.codec.pixels import Pixels
from service.errors import (
    BrokenPictureError,
    PictureError,
    PictureTooLargeError,
    UnsupportedPictureError,
)
from service.pictures.making import Job, Made

LENGTH = struct.Struct("<Q")
BEGUN = b"+"
ANSWER_LIMIT_BYTES = 65_536
ERRORS: dict[str, type[PictureError]] = {
    error.slug: error
    for error in (BrokenPictureError, PictureTooLargeError, UnsupportedPictureError)
}


class EndedError(Exception):
    """The other side is gone."""


class Wire:
    """One end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        """Takes it over."""
        self._end = end
        self.due: Callable[[], float] = lambda: math.inf
        """When whatever waits here raises TimeoutError (``time.monotonic``); it may be put off."""

    def send(self, *parts: bytes | memoryview) -> None:
        """Raises EndedError, TimeoutError."""
        for part in parts:
            view = memoryview(part)
            while view:
                self._hurry()
                try:
                    view = view[self._end.send(view) :]
                except TimeoutError:
                    continue
                except ConnectionError as ended:
                    raise EndedError from ended

    def send_long(self, data: bytes) -> None:
        """With its length before it."""
        self.send(LENGTH.pack(len(data)), data)

    def receive(self, length: int) -> bytearray:
        """Exactly so many bytes. Raises EndedError, TimeoutError."""
        data = bytearray(length)
        view = memoryview(data)
        while view:
            self._hurry()
            try:
                count = self._end.recv_into(view)
            except TimeoutError:
                continue
            except ConnectionError as ended:
                raise EndedError from ended
            if not count:
                raise EndedError
            view = view[count:]
        return data

    def receive_long(self, limit_bytes: int) -> bytearray:
        """What ``send_long`` sent; raises EndedError for more than the limit, too."""
        (length,) = LENGTH.unpack(self.receive(LENGTH.size))
        if length > limit_bytes:
            raise EndedError
        return self.receive(length)

    def close(self) -> None:
        """The other side sees it."""
        self._end.close()

    def _hurry(self) -> None:
        left = self.due() - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._end.settimeout(None if left == math.inf else left)


def send_made(wire: Wire, made: Made) -> None:
    """What became of a job."""
    photo = None if made.photo is None else [made.photo.shape[1], made.photo.shape[0]]
    said = {"width": made.width, "height": made.height, "photo": photo}
    wire.send_long(json.dumps(said).encode())
    for pixels in (made.rgb, made.photo):
        if pixels is not None:
            wire.send(pixels.data.cast("B"))


def send_error(wire: Wire, error: PictureError) -> None:
    """Why a job was refused."""
    said = {"error": error.slug, "detail": error.detail, "members": error.members}
    wire.send_long(json.dumps(said, default=str).encode())


def receive_made(wire: Wire, job: Job) -> Made:
    """What became of a job. Raises the error that it ended with; EndedError for any nonsense."""
    try:
        said = json.loads(wire.receive_long(ANSWER_LIMIT_BYTES))
        if "error" in said:
            raise ERRORS[said["error"]](str(said["detail"]), **dict(said["members"]))
        original = _size(said["width"], said["height"], job.limits.pixel_limit)
        photo = None
        if job.photo_side is not None:
            across, down = said["photo"]
            photo = _size(across, down, job.photo_side**2)
            if max(photo.width, photo.height) > job.photo_side:
                raise EndedError
    except (ValueError, KeyError, TypeError, AttributeError) as nonsense:
        raise EndedError from nonsense
    rgb = _pixels(wire, Size(job.size, job.size))
    shown = None if photo is None else _pixels(wire, photo)
    return Made(rgb, original.width, original.height, shown)


def _size(width: object, height: object, most_pixels: int) -> Size:
    """Raises EndedError."""
    if not (type(width) is type(height) is int and width > 0 and height > 0):
        raise EndedError
    size = Size(width, height)
    if size.pixels > most_pixels:
        raise EndedError
    return size


def _pixels(wire: Wire, size: Size) -> Pixels:
    data = wire.receive(3 * size.pixels)
    return np.frombuffer(data, np.uint8).reshape(size.height, size.width, 3)
