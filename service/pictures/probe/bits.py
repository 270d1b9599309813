"""Reads single bits, as AV1 and HEVC headers are written."""

from __future__ import annotations

from service.errors import BrokenPictureError


class Bits:
    """A cursor over the bits of some bytes, most significant first."""

    def __init__(self, data: bytes) -> None:
        """Start at the first bit of ``data``."""
        self._number = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number. Raises BrokenPictureError when there are fewer."""
        if count > self._left:
            raise BrokenPictureError("a sequence header that ends too early")
        self._left -= count
        return self._number >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """The next unsigned Exp-Golomb code (ITU-T H.265, 9.2) of at most 32 leading zeros."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise BrokenPictureError("a sequence header with an endless number")
        return (1 << zeros) - 1 + self.take(zeros)
