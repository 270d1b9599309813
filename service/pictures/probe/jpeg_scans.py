"""Whether a progressive JPEG's scans send every coefficient to its last bit (ITU-T T.81, G)."""

from __future__ import annotations

import re

from service.pictures.limits import unpack

SOS = re.compile(rb"\xff\xda")
COEFFICIENTS = 64


def is_complete(data: bytes, start: int, end: int, frame: bytes) -> bool:
    """Of the scans between two places, for all components of the frame header ``frame``.

    A file that was cut and closed by an end marker lacks the last of them. Coefficients in
    ``data`` never look like a marker, so that what is found is one.
    """
    (count,) = unpack(">B", frame, 5)
    lowest = {frame[6 + 3 * index]: [99] * COEFFICIENTS for index in range(count)}
    for match in SOS.finditer(data, start, end):
        (among,) = unpack(">B", data, match.end() + 2)
        at = match.end() + 3
        first, last, bits = unpack(">BBB", data, at + 2 * among)
        for index in range(among):
            (component,) = unpack(">B", data, at + 2 * index)
            for place in range(first, min(last, COEFFICIENTS - 1) + 1):
                if component in lowest:
                    lowest[component][place] = min(lowest[component][place], bits & 15)
    return all(bits == 0 for component in lowest.values() for bits in component)
