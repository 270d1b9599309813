"""What an application is made of: every dependency that a request may use, handed in once.

An endpoint reaches it as ``services_of(request)``; the lifespan in ``service.app`` builds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.codec.interface import Codec, Encoded, Kind, Pixels, Size
from service.settings import Settings

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from service.cache import SingleFlight, Store
    from service.http.request.addresses import Clients
    from service.inference import Batcher
    from service.inference.work_limit import WorkLimit
    from service.observability.logs import LogWriter
    from service.observability.metrics import Metrics
    from service.pictures import Opener, Picture
    from service.serving.forecast import Forecast
    from service.serving.intake import Intake


@dataclass(slots=True)
class Lifecycle:
    """Where the process is in its life; the server that runs the application moves it forward.

    ``stopping``: /readyz is 503 and every answer closes its connection, but what comes is served.
    """

    stopping: bool = False


@dataclass(frozen=True, slots=True)
class ToEncode:
    """A picture on its way to a stream; ``measured``: the levels of the stream are asked for.

    ``stream`` is one that it has already: then that is measured, as far as it can be.
    """

    picture: Picture
    measured: bool
    stream: bytes | None = None


@dataclass(frozen=True, slots=True)
class ToDecode:
    """A prefix on its way to a picture.

    ``size`` is the long side that is wanted (None: its own), ``painted`` the size that follows, a
    lower resolution of the picture's ``own``: that is what painting costs.
    """

    prefix: bytes
    size: int | None
    painted: Size
    own: Size


@dataclass(frozen=True, slots=True)
class Services:
    """Everything an endpoint may use.

    ``encoders`` and ``decoders`` hold one batcher a codec, by the codec's name; an encoder takes
    ``ToEncode`` and gives ``Encoded``, a decoder takes ``ToDecode`` and gives uint8 [H, W, 3].
    ``defaults`` are the codecs of requests that name none, by what they are asked for;
    ``upload_codecs`` those of uploads.
    ``picture_executor`` runs ``opener.open``, ``paint_executor`` what rasters are painted by, so
    that no reader waits for a picture of somebody's upload (``settings.picture_threads`` threads
    each); ``service.http.jobs.picture_threads`` calls them.
    ``forecasts`` say, of codecs of photos, whether one more would be encoded in time; ``rasters``
    bounds what is being painted, ``uploads`` and ``public_bodies`` (of routes that ask
    for no token) the bodies in work; ``clients`` says whose they are. ``clock`` is the wall clock
    in seconds since the epoch.
    """

    settings: Settings
    codecs: Mapping[str, Codec]
    encoders: Mapping[str, Batcher[ToEncode, Encoded]]
    decoders: Mapping[str, Batcher[ToDecode, Pixels]]
    defaults: Mapping[Kind, str]
    upload_codecs: tuple[str, ...]
    store: Store
    single_flight: SingleFlight
    opener: Opener
    picture_executor: ThreadPoolExecutor
    paint_executor: ThreadPoolExecutor
    rasters: WorkLimit
    forecasts: Mapping[str, Forecast]
    metrics: Metrics
    log: LogWriter
    uploads: Intake
    public_bodies: Intake
    clients: Clients
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    clock: Callable[[], float] = time.time

    @property
    def batchers(self) -> tuple[Batcher[Any, Any], ...]:
        """Every network's batcher."""
        return (*self.encoders.values(), *self.decoders.values())


def services_of(connection: HTTPConnection) -> Services:
    """The application's services (``app.state.services``)."""
    services: Services = connection.app.state.services
    return services
