"""The OpenAPI document, and /docs: a page made from it that loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
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

if TYPE_CHECKING:
    from fastapi import FastAPI

TITLE = "Prefixel"
SUMMARY = "Photos in, progressive streams out: every prefix of a stream is a picture."
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
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


STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code{font:.9em ui-monospace,monospace}section{border-top:1px solid;padding:.5rem 0}
h2 b{display:inline-block;min-width:4.5rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-top:1px solid #8884}
"""
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


def page(document: dict[str, Any]) -> str:
    """An OpenAPI document as HTML: every operation, its parameters, its answers."""
    info = document["info"]
    sections = "".join(_section(*operation) for operation in _operations(document))
    title = html.escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{html.escape(info.get('summary', ''))}"
        f' <a href="/openapi.json">openapi.json</a></p>{sections}</html>'
    )


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    text = operation.get("description") or operation.get("summary", "")
    parameters = [
        (f"{one['name']} ({one['in']})", _bounds(one["schema"]), one.get("description", ""))
        for one in operation.get("parameters", ())
    ]
    if "requestBody" in operation:
        body = operation["requestBody"]
        parameters.append(("body", ", ".join(body["content"]), body.get("description", "")))
    answers = [
        (status, ", ".join(answer.get("content", ())), answer["description"])
        for status, answer in sorted(operation["responses"].items())
    ]
    return (
        f"<section><h2><b>{method.upper()}</b> <code>{html.escape(path)}</code></h2>"
        f"<p>{html.escape(text)}</p>{_table(parameters)}{_table(answers)}</section>"
    )


def _bounds(schema: dict[str, Any]) -> str:
    kinds = [one.get("type", "") for one in schema.get("anyOf", (schema,))]
    words = [" or ".join(kind for kind in kinds if kind and kind != "null")]
    for one in schema.get("anyOf", (schema,)):
        low = one.get("minimum", one.get("exclusiveMinimum"))
        high = one.get("maximum", one.get("exclusiveMaximum"))
        if low is not None or high is not None:
            words.append(f"{'' if low is None else low} to {'' if high is None else high}")
        words += [", ".join(map(str, one["enum"]))] if "enum" in one else []
    if schema.get("default") is not None:
        words.append(f"default {schema['default']}")
    return "; ".join(words)


def _table(rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{lines}</table>"
