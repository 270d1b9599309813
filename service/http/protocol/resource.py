"""One path with all its methods: a route without FastAPI's machinery, and its OpenAPI text.

These paths parse their own few parameters, so what FastAPI does for each request (dependencies,
models, a route context for every included router) would be time without use: it costs the read of
a stream more than the stream does. ``describe`` puts them into the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Route

from service.errors import PrefixelError, RateLimitError
from service.http.protocol.problems import documented
from service.http.protocol.queries import ID_SCHEMA, Parameters
from service.http.protocol.reply import Reply
from service.http.protocol.spelling import OtherSpelling, moved

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Responses = Mapping[int, Mapping[str, Any]]
BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
SOME_BINARY: dict[str, Any] = {**BINARY, "minLength": 1}


Endpoint = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path: what answers it, and what the OpenAPI document says of it.

    ``app`` is a plain ASGI application (``endpoint`` makes one of a function of a request).
    """

    app: ASGIApp
    summary: str
    responses: Responses
    errors: tuple[type[PrefixelError], ...] = ()
    parameters: Parameters = field(default_factory=dict)
    request_body: Mapping[str, Any] | None = None
    needs_token: bool = False


def endpoint(function: Endpoint) -> ASGIApp:
    """The ASGI application of a function that turns a request into a reply."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reply = await function(Request(scope, receive, send))
        await reply.to(scope, receive, send)

    return app


class Resource(Route):
    """The route of one path; a method that it does not take is 405 with all that it does."""

    def __init__(
        self, path: str, tag: str, operations: Mapping[str, Operation], *, is_public: bool = True
    ) -> None:
        """``operations`` by method; GET answers HEAD too. Only what is public is described."""
        self.tag = tag
        self.is_public = is_public
        self.operations = operations
        self._apps = {method: operation.app for method, operation in operations.items()}
        if "GET" in self._apps:
            self._apps["HEAD"] = self._apps["GET"]
        super().__init__(path, endpoint=self._dispatcher(), methods=list(self._apps), name=path)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As a route does; the metrics find the path's template in ``scope["route"]``."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope

    def _dispatcher(self) -> ASGIApp:
        apps = self._apps

        class Dispatcher:
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                try:
                    await apps[scope["method"]](scope, receive, send)
                except OtherSpelling as other:
                    await moved(scope, other).to(scope, receive, send)

        return Dispatcher()


def describe(document: dict[str, Any], routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Add every resource among ``routes`` to an OpenAPI document, which is also the answer."""
    for route in routes:
        if isinstance(route, Resource) and route.is_public:
            document["paths"][route.path_format] = _path(route)
    if any(isinstance(route, Resource) for route in routes):
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["token"] = {"type": "http", "scheme": "bearer"}
    return document


def _path(resource: Resource) -> dict[str, Any]:
    path: dict[str, Any] = {}
    for method, operation in resource.operations.items():
        path[method.lower()] = _operation(resource, method, operation)
        if method == "GET":
            head = _operation(resource, "HEAD", operation)
            for answer in head["responses"].values():
                answer.pop("content", None)
            path["head"] = head
    return path


_MOVED: Responses = {
    308: {"description": "Another spelling of the query; Location has the one that is served"}
}


def _operation(resource: Resource, method: str, operation: Operation) -> dict[str, Any]:
    words = "".join(letter if letter.isalnum() else " " for letter in resource.path).split()
    described: dict[str, Any] = {
        "operationId": "_".join((method.lower(), *words)),
        "summary": operation.summary,
        "tags": [resource.tag],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": ID_SCHEMA}
            for name in resource.param_convertors
        ]
        + [
            {
                "name": one.name,
                "in": "query",
                "required": one.required,
                "schema": one.schema,
                "description": one.description,
                **({"style": "form", "explode": False} if one.schema["type"] == "array" else {}),
            }
            for one in operation.parameters.values()
        ],
        "responses": {
            str(status): dict(answer)
            for status, answer in (
                *operation.responses.items(),
                *(_MOVED if method in ("GET", "HEAD") else {}).items(),
                *documented(*operation.errors, RateLimitError).items(),
            )
        },
    }
    if operation.request_body is not None:
        described["requestBody"] = operation.request_body
    if operation.needs_token:
        described["security"] = [{}, {"token": []}]
    return described


def described_answer(
    description: str, *media_types: str, schema: Mapping[str, Any] | None = None
) -> Any:
    """One entry of ``Operation.responses``; without a schema the body is binary."""
    shape = BINARY if schema is None else schema
    content = {media_type: {"schema": shape} for media_type in media_types}
    return {"description": description, **({"content": content} if content else {})}


def upload_body(media_type: str, what: str) -> dict[str, Any]:
    """``requestBody`` of a path that takes bytes, raw or as the ``file`` of a form."""
    form = {"type": "object", "required": ["file"], "properties": {"file": SOME_BINARY}}
    return {
        "required": True,
        "description": f"{what}, raw (with any content type) or as 'file' of a form",
        "content": {
            media_type: {"schema": SOME_BINARY},
            "multipart/form-data": {"schema": form},
        },
    }
