"""The ``file`` of a multipart form (RFC 7578, RFC 2046 5.1.1), taken from chunks as they come.

Ours, because python-multipart walks what a client chooses (white space, boundaries that are none,
headers, parts without number) byte by byte in Python, on the event loop, and takes no preamble.
Here Python runs once a chunk and once a part, and all else is ``find``.
"""

from __future__ import annotations

import re

from python_multipart.multipart import parse_options_header

from service.errors import BodyError, ParameterError

FIELD = "file"
PARTS = 16
PART_HEADERS = 8
HEAD_BYTES = 4096
"""Of all headers of a part together, with the white space after its boundary."""
NAME_OF_FILE = re.compile(rb"[^\x00-\x1f]{1,250}\.[A-Za-z0-9]{2,5}")
"""What a form sends in place of a file whose ``@`` was forgotten."""
OPTIONS = 32
OPTIONS_CHARACTERS = 1024


def options_of(header: str) -> dict[bytes, bytes]:
    """What follows a header's value: ``name="file"; filename="a"``. Raises BodyError (too many).

    The library takes 2 us a semicolon, and a client may send 60,000 of them.
    """
    if len(header) > OPTIONS_CHARACTERS or header.count(";") > OPTIONS:
        raise BodyError(
            f"a multipart header has at most {OPTIONS_CHARACTERS} characters and {OPTIONS} ';'"
        )
    return parse_options_header(header)[1]


class Form:
    """Collects one field and lets all else go by: preamble, other fields, epilogue."""

    def __init__(self, boundary: bytes) -> None:
        """``boundary`` is that of the Content-Type, 1 to 70 bytes."""
        self._delimiter = b"\r\n--" + boundary
        # The first boundary may open the body: then there is no line end before it.
        self._rest = b"\r\n"
        self._in_head = False
        self._ended = False
        self._wanted = False
        self._parts = 0
        self._found = 0
        self._is_text = False
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body. Raises BodyError, ParameterError."""
        data, offset = self._rest + chunk, 0
        while not self._ended:
            begin = offset
            offset = self._head(data, begin) if self._in_head else self._body(data, begin)
            if offset == begin:
                break
        self._rest = b"" if self._ended else data[offset:]

    def result(self) -> list[bytes]:
        """What the field held, in pieces. Raises BodyError (no last boundary), ParameterError."""
        if not self._ended:
            raise BodyError("the multipart body ends early")
        if not self._found:
            raise ParameterError(FIELD, f"the form has no field '{FIELD}'", "exactly one")
        if self._is_text and NAME_OF_FILE.fullmatch(b"".join(self._pieces[:2])):
            raise ParameterError(
                FIELD,
                f"'{FIELD}' holds a file's name, not the file: curl -F {FIELD}=@NAME",
                "a file",
            )
        return self._pieces

    def _body(self, data: bytes, begin: int) -> int:
        """Go on to the next boundary; where that is not here, to what may be the begin of one."""
        end = data.find(self._delimiter, begin)
        self._in_head = end >= 0
        if not self._in_head:
            end = max(begin, len(data) - len(self._delimiter) + 1)
        if self._wanted and end > begin:
            self._pieces.append(data[begin:end])
        return end + len(self._delimiter) if self._in_head else end

    def _head(self, data: bytes, begin: int) -> int:
        """Go on from behind a boundary to the part's body; stay while its headers are not whole."""
        if data.startswith(b"--", begin):
            self._ended = True
            return begin + 2
        end = data.find(b"\r\n\r\n", begin, begin + HEAD_BYTES)
        if end < 0:
            if len(data) - begin >= HEAD_BYTES:
                raise BodyError(f"a part's headers have at most {HEAD_BYTES} bytes")
            return begin
        self._parts += 1
        if self._parts > PARTS:
            raise BodyError(f"a form has at most {PARTS} parts")
        padding, *headers = data[begin:end].split(b"\r\n")
        if padding.strip(b" \t"):
            raise BodyError("the boundary stands inside of a part")
        if len(headers) > PART_HEADERS:
            raise BodyError(f"a part has at most {PART_HEADERS} headers")
        dispositions = [header for header in headers if _name(header) == b"content-disposition"]
        if len(dispositions) > 1:
            raise BodyError("a part has one Content-Disposition")
        self._wanted = any(map(self._is_file, dispositions))
        self._in_head = False
        return end + len(b"\r\n\r\n")

    def _is_file(self, disposition: bytes) -> bool:
        options = options_of(disposition.partition(b":")[2].strip().decode("latin-1"))
        if options.get(b"name") != FIELD.encode():
            return False
        self._found += 1
        if self._found > 1:
            raise ParameterError(FIELD, f"a form has one field '{FIELD}'", "exactly one")
        self._is_text = b"filename" not in options
        return True


def _name(header: bytes) -> bytes:
    name, colon, _ = header.partition(b":")
    if not colon or not name or name != name.strip() or b"\r" in header or b"\n" in header:
        raise BodyError("a part has a header that does not parse")
    return name.lower()
