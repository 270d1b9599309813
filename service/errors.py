"""Every error the service raises, and what each one means at the border.

    bytes in -> admission -> body -> picture -> codec -> network -> cache -> bytes out

    PrefixelError
    ├── RequestError            admission
    │   ├── ParameterError          400  a parameter is out of its range
    │   ├── UnauthorizedError       401  no token that holds
    │   ├── SignatureError          403  the URL needs a signature that holds
    │   ├── DeletionOffError        403  nobody may delete here
    │   ├── NoRouteError            404  nothing is served under this path
    │   ├── MethodError             405  the path does not take this method
    │   ├── TooManyRequestsError    429  from one client
    │   │   ├── RateLimitError          429  it asks too often
    │   │   └── ClientShareError        429  it has its share of what all may have at once
    │   ├── RangeError              416  the range lies outside the stream
    │   └── TransferCodingError     501  the body is coded otherwise than chunked
    ├── BodyError               body
    │   ├── BodyTimeoutError        408  it did not arrive in time
    │   ├── BodyTooLargeError       413  over the limit
    │   └── ClientGoneError         499  the client left (log and metric only)
    ├── PictureError            picture
    │   ├── UnsupportedPictureError 415  not a format that is accepted
    │   ├── BrokenPictureError      422  it does not parse
    │   └── PictureTooLargeError    422  over the pixel, frame or scan limit
    ├── CodecError              codec
    │                               422  a stream that does not parse
    ├── NotFoundError           cache
    │   ├── UnknownImageError       404  no such id
    │   ├── NotEncodedError         404  that codec was not encoded for it
    │   └── StreamGoneError         404  that very stream (?v=) is gone
    ├── UnavailableError        any
    │   ├── QueueFullError          503  too much waits already
    │   ├── DrainingError           503  the process is about to stop
    │   ├── CacheUnavailableError   503  the cache cannot answer
    │   └── DeviceMemoryError       503  the device's memory is full
    ├── DeadlineError           network
    │                               504  the deadline passed
    └── InferenceError          network
                                    500  a network failed

    StartupError                never reaches HTTP: a setting or an artifact is wrong
    ├── ConfigurationError
    └── ArtifactError

Messages are public: they name the bound, the parameter and the number; never bytes of a file, nor
what may be a secret.
"""

from __future__ import annotations

import math
from typing import ClassVar


class PrefixelError(Exception):
    """Base of what a request can end with; the text is shown to the client."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    stage: ClassVar[str] = "any"

    def __init__(self, detail: str = "", **members: object) -> None:
        """``members`` become extension members of the problem document."""
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.members = members


class RequestError(PrefixelError):
    """The request itself is wrong; nothing was read or computed."""

    status, slug, title, stage = 400, "bad-request", "Bad request", "admission"


class ParameterError(RequestError):
    """A parameter is missing, malformed or out of its range."""

    slug, title = "parameter", "A parameter is out of its range"

    def __init__(self, name: str, detail: str, allowed: str | None = None) -> None:
        """``name`` is the parameter, ``allowed`` its range in words."""
        extra = {} if allowed is None else {"allowed": allowed}
        super().__init__(detail, parameter=name, **extra)


class UnauthorizedError(RequestError):
    """A token is needed and none that holds came."""

    status, slug, title = 401, "unauthorized", "A token is needed"


class SignatureError(RequestError):
    """The URL needs a signature, and none that holds came."""

    status, slug, title = 403, "signature", "The URL needs a signature"


class DeletionOffError(RequestError):
    """No delete tokens are set, so that none can hold."""

    status, slug, title = 403, "deletion-off", "Nobody may delete here"


class TransferCodingError(RequestError):
    """The body came in another transfer coding than chunked (RFC 9112, 6.1)."""

    status, slug, title = 501, "transfer-coding", "The transfer coding is not known here"


class RangeError(RequestError):
    """The requested range starts behind the end of the stream."""

    status, slug, title = 416, "range", "The range lies outside the stream"

    def __init__(self, total_bytes: int) -> None:
        """``total_bytes`` is the length of the whole stream."""
        super().__init__(f"the stream holds {total_bytes} bytes")
        self.total_bytes = total_bytes


class NoRouteError(RequestError):
    """Nothing is served under this path."""

    status, slug, title = 404, "no-route", "Nothing is served here"


class MethodError(RequestError):
    """The path is there; it does not take this method (``Allow`` names those that it takes)."""

    status, slug, title = 405, "method", "The path does not take this method"


class TooManyRequestsError(RequestError):
    """One client asks for more than its share; the answer carries ``Retry-After``."""

    status, slug, title = 429, "too-many-requests", "Too many requests of one client"

    def __init__(self, detail: str = "", retry_after_seconds: float = 1.0) -> None:
        """``retry_after_seconds`` says when it may come again."""
        super().__init__(detail)
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))


class RateLimitError(TooManyRequestsError):
    """More requests a second than ``rate_limit``."""

    slug, title = "rate-limit", "Too many requests a second"


class ClientShareError(TooManyRequestsError):
    """As much at once as one client may have (``client_share``)."""

    slug, title = "client-share", "One client's share is taken"


class BodyError(PrefixelError):
    """The body did not arrive as it should."""

    status, slug, title, stage = 400, "body", "The body is not usable", "body"


class BodyTimeoutError(BodyError):
    """The body did not arrive within ``body_timeout_seconds``."""

    status, slug, title = 408, "body-timeout", "The body did not arrive in time"


class BodyTooLargeError(BodyError):
    """The body is longer than ``body_limit_bytes``."""

    status, slug, title = 413, "body-too-large", "The body is too large"


class ClientGoneError(BodyError):
    """The client closed its connection; its work is dropped."""

    status, slug, title = 499, "client-gone", "The client left"


class PictureError(PrefixelError):
    """The upload is not a picture that can be used."""

    status, slug, title, stage = 422, "picture", "The picture is not usable", "picture"


class UnsupportedPictureError(PictureError):
    """Not a picture format that is accepted (by content, not by name)."""

    status, slug, title = 415, "unsupported-picture", "Not a picture format that is accepted"


class BrokenPictureError(PictureError):
    """The picture does not parse."""

    slug, title = "broken-picture", "The picture does not parse"


class PictureTooLargeError(PictureError):
    """The header promises more than a limit allows; nothing was decoded."""

    slug, title = "picture-too-large", "The picture is over a limit"


class CodecError(PrefixelError):
    """A stream does not parse. The only exception that bytes can cause."""

    status, slug, title, stage = 422, "stream", "The stream does not parse", "codec"


class NotFoundError(PrefixelError):
    """The cache says that it is not there."""

    status, slug, title, stage = 404, "not-found", "Not found", "cache"


class UnknownImageError(NotFoundError):
    """No image under this id."""

    slug, title = "unknown-image", "No such image"


class NotEncodedError(NotFoundError):
    """The image is there; this codec was not encoded for it."""

    slug, title = "not-encoded", "That codec was not encoded for this image"


class StreamGoneError(NotFoundError):
    """The stream that ``?v=`` names is gone; drop it and start over."""

    slug, title = "stream-gone", "That very stream is gone"


class UnavailableError(PrefixelError):
    """Try again later; the answer carries ``Retry-After``."""

    status, slug, title = 503, "unavailable", "Try again later"
    retry_after_seconds: ClassVar[int] = 1


class QueueFullError(UnavailableError):
    """As much waits already as may."""

    slug, title, stage = "queue-full", "The queue is full", "network"


class DrainingError(UnavailableError):
    """The process stops soon and takes no new work."""

    slug, title, stage = "draining", "The service is stopping", "admission"


class CacheUnavailableError(UnavailableError):
    """The cache is down or slow, and this answer needs it."""

    slug, title, stage = "cache-unavailable", "The cache cannot answer", "cache"


class DeviceMemoryError(UnavailableError):
    """The device that networks run on has no memory left; every waiter of the batch gets this."""

    slug, title, stage = "device-memory", "The device's memory is full", "network"


class DeadlineError(PrefixelError):
    """The deadline passed before the work was done."""

    status, slug, title, stage = 504, "deadline", "The deadline passed", "network"


class InferenceError(PrefixelError):
    """A network failed on a batch; every waiter of the batch gets this."""

    status, slug, title, stage = 500, "inference", "A network failed", "network"


class StartupError(Exception):
    """The service cannot start; the message says what to change."""


class ConfigurationError(StartupError):
    """Settings contradict each other or the machine."""


class ArtifactError(StartupError):
    """An artifact is missing, damaged, or not what its manifest says."""
