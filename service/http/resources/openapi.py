"""The OpenAPI document, and /docs: the page that is made from it, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from service.errors import ParameterError, PrefixelError
from service.http.protocol.problems import MEDIA_TYPE, SCHEMA, SCHEMA_REF, documented
from service.http.protocol.resource import describe
from service.http.resources.docs_page import METHODS, STYLE, page

if TYPE_CHECKING:
    from fastapi import FastAPI

TITLE = "Prefixel"
SUMMARY = "Photos in, progressive streams out: every prefix of a stream is a picture."
FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")

router = APIRouter(include_in_schema=False)


def build(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A maker of the document, which is made once; for ``app.openapi``."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            with warnings.catch_warnings():  # of ids that GET and HEAD share; _finish parts them
                warnings.filterwarnings("ignore", "Duplicate Operation ID")
                document = get_openapi(
                    title=TITLE,
                    version=version("prefixel"),
                    summary=SUMMARY,
                    routes=app.routes,
                    license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
                )
            app.openapi_schema = _finish(describe(document, app.routes))
        return app.openapi_schema

    return openapi


def _finish(document: dict[str, Any]) -> dict[str, Any]:
    """Say 400 where FastAPI would say 422, and a problem document for all that is not foreseen."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in FASTAPI_SCHEMAS:
        schemas.pop(name, None)
    schemas["Problem"] = SCHEMA
    anything = {
        "description": "Any other error",
        "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA_REF}}},
    }
    taken: set[str] = set()
    for _, method, operation in _operations(document):
        if operation["operationId"] in taken:
            operation["operationId"] += f"_{method}"
        taken.add(operation["operationId"])
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]
            responses.setdefault("400", documented(ParameterError)[400])
        responses.setdefault("500", documented(PrefixelError)[500])
        responses.setdefault("default", anything)
    return document


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operations[method])
        for path, operations in document["paths"].items()
        for method in METHODS
        if method in operations
    ]


_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The document for people, without scripts."""
    return HTMLResponse(page(request.app.openapi()), headers=HEADERS)
