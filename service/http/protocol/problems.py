"""Errors as RFC 9457 problem documents; the only place where an exception becomes an answer.

``type`` is a URN a slug, stable for ever: ``urn:prefixel:problem:queue-full``. An answer never
holds a stack, nor bytes of the input, and no error is kept by a cache.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from service.errors import (
    BodyError,
    BodyTimeoutError,
    ClientGoneError,
    DeadlineError,
    MethodError,
    NoRouteError,
    ParameterError,
    PrefixelError,
    RangeError,
    RequestError,
    TooManyRequestsError,
    TransferCodingError,
    UnauthorizedError,
    UnavailableError,
)
from service.http.request.context import Context, context_of
from service.serving.services import services_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
NOTHING_HERE = "nothing is served under this path; /openapi.json lists what is"
URN = "urn:prefixel:problem:"
SCHEMA_REF = "#/components/schemas/Problem"
SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457); further members belong to the type.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    },
}


def install(app: FastAPI) -> None:
    """Answer every exception that an endpoint, a router or FastAPI raises with a problem."""
    app.add_exception_handler(PrefixelError, _on_prefixel_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def documented(*errors: type[PrefixelError]) -> dict[int | str, dict[str, Any]]:
    """``responses=`` of a route for the errors it may raise, one entry a status."""
    words: dict[int, list[str]] = {}
    for error in errors:
        words.setdefault(error.status, []).append(f"{error.title} (`{URN}{error.slug}`)")
    return {
        status: {
            "description": "; ".join(texts),
            "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA_REF}}},
        }
        for status, texts in words.items()
    }


def document(error: PrefixelError, request_id: str) -> dict[str, object]:
    """The problem document of an error."""
    return {
        **error.members,
        "type": URN + error.slug,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "request_id": request_id,
    }


def problem_answer(error: PrefixelError, context: Context) -> Response:
    """The whole answer to an error, headers included; notes the slug in the context."""
    context.error = error.slug
    return _response(document(error, context.request_id), error.status, _headers(error))


def _headers(error: PrefixelError) -> dict[str, str]:
    if isinstance(error, UnauthorizedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, UnavailableError | TooManyRequestsError):
        return {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, RangeError):
        return {"Content-Range": f"bytes */{error.total_bytes}", "Accept-Ranges": "bytes"}
    if isinstance(error, BodyTimeoutError | TransferCodingError):
        return {"Connection": "close"}
    return {}


def _response(content: object, status: int, headers: Mapping[str, str]) -> Response:
    return Response(
        json.dumps(content, ensure_ascii=False).encode(),
        status,
        {"Cache-Control": "no-store", **headers},
        MEDIA_TYPE,
    )


async def _on_prefixel_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PrefixelError)
    metrics = services_of(request).metrics
    counted = isinstance(error, RequestError | BodyError | UnavailableError | DeadlineError)
    if counted and not isinstance(error, ClientGoneError):
        metrics.rejected(error.slug)
    return problem_answer(error, context_of(request))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return await _on_prefixel_error(request, _parameter_error(request, error.errors()[0]))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """What the routers raise: 404, 405, and 400 for JSON that does not parse."""
    assert isinstance(error, HTTPException)
    problem: PrefixelError
    if error.status_code == NoRouteError.status:
        problem = NoRouteError(_near_miss(request) or NOTHING_HERE)
    elif error.status_code == MethodError.status:
        problem = MethodError(f"this path takes {(error.headers or {}).get('Allow', 'no method')}")
    else:
        problem = RequestError(str(error.detail))
    response = problem_answer(problem, context_of(request))
    response.headers.update(error.headers or {})
    return response


def _near_miss(request: Request) -> str | None:
    """A path that is served and differs by a slash or by the spelling of its last part."""
    path = request.scope["path"]
    parts = path.rstrip("/").split("/")
    templates = [route.path.split("/") for route in request.app.routes if isinstance(route, Route)]
    served = [template for template in templates if _fits(template[:-1], parts[:-1])]
    if path.endswith("/") and any(_fits(template[-1:], parts[-1:]) for template in served):
        return "nothing is served under this path; without the slash at its end there is"
    near = get_close_matches(parts[-1], [template[-1] for template in served], 1, 0.75)
    return f"nothing is served under this path; did you mean {near[0]}?" if near else None


def _fits(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(
        one.startswith("{") or one == part for one, part in zip(template, parts, strict=True)
    )


def _parameter_error(request: Request, found: Mapping[str, Any]) -> ParameterError:
    """What FastAPI found wrong first, named with its range; never the value itself."""
    place, *names = (str(part) for part in found["loc"])
    name = ".".join(names) or place
    return ParameterError(name, f"{place} '{name}': {found['msg']}", _allowed(request, name, found))


def _allowed(request: Request, name: str, found: Mapping[str, Any]) -> str | None:
    """The range in words: from the route's own declaration, else from what the check says."""
    expected: Mapping[str, object] = found.get("ctx") or {}
    if "expected" in expected:
        return str(expected["expected"])
    bounds = {key: expected[key] for key in _WORDS if key in expected}
    dependant = getattr(request.scope.get("route"), "dependant", None)
    for field in (*dependant.query_params, *dependant.path_params) if dependant else ():
        if field.alias == name:
            for rule in field.field_info.metadata:
                bounds |= {key: getattr(rule, key) for key in _WORDS if hasattr(rule, key)}
    return (
        " ".join(text.format(bounds[key]) for key, text in _WORDS.items() if key in bounds) or None
    )


_WORDS = {"ge": "from {}", "gt": "more than {}", "le": "up to {}", "lt": "less than {}"}
