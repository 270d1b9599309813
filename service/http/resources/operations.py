"""What operators ask for: /livez, /readyz, /metrics."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service.errors import DrainingError, UnavailableError
from service.http.protocol.problems import documented
from service.serving.services import services_of

HEALTHY = {"status": "ok"}
NO_STORE = {"Cache-Control": "no-store"}
METHODS = ["GET", "HEAD"]


def router(*, metrics: bool) -> APIRouter:
    """The routes; ``metrics`` says whether /metrics is served here or on a port of its own."""
    routes = APIRouter(tags=["operations"])
    routes.add_api_route("/livez", livez, methods=METHODS, responses=documented(UnavailableError))
    routes.add_api_route("/readyz", readyz, methods=METHODS, responses=documented(DrainingError))
    if metrics:
        routes.add_api_route(
            "/metrics", render, methods=METHODS, response_class=Response, responses=_METRICS
        )
    return routes


async def livez(request: Request) -> JSONResponse:
    """Whether this process can still do its work; when not, restart it."""
    dead = sorted(one.network for one in services_of(request).batchers if not one.alive)
    if dead:
        raise UnavailableError(f"the worker of {', '.join(dead)} is dead", dead=dead)
    return JSONResponse(HEALTHY, headers=NO_STORE)


async def readyz(request: Request) -> JSONResponse:
    """Whether new requests should come here, and on what networks run.

    The cache's state does not matter.
    """
    if services_of(request).lifecycle.stopping:
        raise DrainingError("this process is about to stop")
    ready = HEALTHY | {"device": request.app.state.device}
    return JSONResponse(ready, headers=NO_STORE)


async def render(request: Request) -> Response:
    """Every metric, in Prometheus' text format."""
    metrics = services_of(request).metrics
    body = await asyncio.to_thread(metrics.render)
    return Response(body, headers={**NO_STORE, "Content-Type": metrics.content_type})


_METRICS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "Prometheus text",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}
