"""/v1/thumbs: many prefixes in one body, the container of CONTAINER.md."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from starlette.requests import Request

from service.cache import Found, Key
from service.codec.container import UNAVAILABLE, UNKNOWN, Entry, State, pack
from service.codec.interface import Codec, is_newer
from service.errors import (
    BodyError,
    BodyTimeoutError,
    BodyTooLargeError,
    CacheUnavailableError,
    ClientShareError,
    DrainingError,
    ParameterError,
    QueueFullError,
)
from service.http.jobs.selection import check_budget
from service.http.protocol.body import read_body
from service.http.protocol.queries import (
    BYTES,
    BYTES_AT_MOST,
    CODEC,
    ID_SCHEMA,
    IDS,
    known,
    read_query,
    required,
)
from service.http.protocol.reply import JSON, Reply
from service.http.protocol.representation import answer, represent
from service.http.protocol.resource import Operation, Resource, described_answer, endpoint
from service.http.protocol.spelling import read_spelled
from service.http.request.admission import public_slot
from service.http.request.timing import add_span
from service.serving.services import Services, services_of

MEDIA_TYPE = "application/vnd.prefixel-container"
PARAMETERS = known(IDS, required(BYTES_AT_MOST), CODEC)
JSON_BYTES_AN_ID = 64
JSON_BYTES = 1024
CONTAINER_BYTES = 8 * 2**20
"""Of all prefixes together: more is a job for ranges, which come in pieces."""


def _json_integer(value: object) -> object:
    """JSON has one kind of number: 64.0 is the integer 64."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Thumbs(BaseModel):
    """What POST takes: the same as the query of GET."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: list[Annotated[str, StringConstraints(pattern=ID_SCHEMA["pattern"])]] = Field(min_length=1)
    bytes: Annotated[int, BeforeValidator(_json_integer)] = Field(ge=BYTES.start, le=BYTES.stop - 1)
    codec: Annotated[str, StringConstraints(pattern=CODEC.schema["pattern"])] = ""


async def get(request: Request) -> Reply:
    """The ids are in the query."""
    steps = services_of(request).settings.bytes_steps
    query = read_spelled(request.scope["query_string"], PARAMETERS, steps)
    return await _thumbs(request, query["ids"], query["bytes"], query.get("codec", ""))


async def post(request: Request) -> Reply:
    """The ids are in the body, where there is room for more of them than in a URL."""
    read_query(request.scope["query_string"], {})
    limit = services_of(request).settings.ids_limit
    with public_slot(request, ()):
        body = await read_body(request, JSON_BYTES + JSON_BYTES_AN_ID * limit)
    try:
        asked = Thumbs.model_validate_json(body)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"])) or "body"
        raise ParameterError(name, f"body '{name}': {first['msg']}") from wrong
    return await _thumbs(request, asked.ids, asked.bytes, asked.codec)


async def _thumbs(request: Request, ids: Sequence[str], budget_bytes: int, codec: str) -> Reply:
    services = services_of(request)
    limit = services.settings.ids_limit
    if len(ids) > limit:
        raise ParameterError("ids", f"{len(ids)} ids are too many", f"1 to {limit}")
    codec = codec or services.settings.default_codec
    check_budget(services, codec, budget_bytes)
    _check_total(services, codec, budget_bytes, len(ids))
    begin = time.perf_counter()
    try:
        found = await services.store.many([Key(id, codec) for id in ids], budget_bytes)
        loaded = services.codecs.get(codec)
        entries = [_entry(part, loaded) for part in found]
    except CacheUnavailableError:
        entries = [UNAVAILABLE] * len(ids)
    add_span(request, "cache", time.perf_counter() - begin)
    return _reply(request, entries)


def _check_total(services: Services, codec: str, budget_bytes: int, ids: int) -> None:
    """Refuse what would be too long an answer. Raises ParameterError."""
    loaded = services.codecs.get(codec)
    longest = budget_bytes if loaded is None else min(budget_bytes, loaded.maximum_bytes)
    if longest * ids > CONTAINER_BYTES:
        raise ParameterError(
            "bytes",
            f"{ids} times {longest} bytes are too many for one answer",
            f"up to {CONTAINER_BYTES // ids} for so many ids",
        )


def _entry(part: Found, codec: Codec | None) -> Entry:
    """A stream of a later version is for another server to give: it may be asked again."""
    if part is None:
        return UNKNOWN
    if isinstance(part, CacheUnavailableError):
        return UNAVAILABLE
    if codec is not None and is_newer(codec, part.head):
        return UNAVAILABLE
    return Entry(State.OK, part.digest[:4], part.total_bytes, part.data)


def _reply(request: Request, entries: Sequence[Entry]) -> Reply:
    body = pack(entries)
    all_ok = all(entry.state is State.OK for entry in entries)
    lifetime = b"public, max-age=300, stale-while-revalidate=86400" if all_ok else b"no-store"
    common = ((b"cache-control", lifetime + b", no-transform"),)
    content = ((b"content-type", MEDIA_TYPE.encode()),)
    reply = answer(request.scope, represent(body, common, content), body)
    if reply.body and request.method != "HEAD":
        services_of(request).metrics.sent(sum(len(entry.data) for entry in entries))
    return reply


_CONTAINER = described_answer("A container, one entry an id; see CONTAINER.md", MEDIA_TYPE)
RESOURCES = (
    Resource(
        "/v1/thumbs",
        "streams",
        {
            "GET": Operation(
                endpoint(get),
                "Many prefixes in one body",
                {200: _CONTAINER, 304: described_answer("If-None-Match names it")},
                (ParameterError,),
                PARAMETERS,
            ),
            "POST": Operation(
                endpoint(post),
                "Many prefixes in one body, more than a URL has room for",
                {200: _CONTAINER},
                (
                    ParameterError,
                    BodyError,
                    BodyTimeoutError,
                    BodyTooLargeError,
                    ClientShareError,
                    QueueFullError,
                    DrainingError,
                ),
                request_body={
                    "required": True,
                    "content": {JSON.decode(): {"schema": Thumbs.model_json_schema()}},
                },
            ),
        },
    ),
)
