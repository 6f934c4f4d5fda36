"""`/health`, `/ready` and `/metrics` of a worker."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def health_app(
    describe: Callable[[], dict[str, Any]], is_ready: Callable[[], bool], registry: CollectorRegistry
) -> Starlette:
    """The three addresses: alive (200 whenever it answers), ready (503 while it takes no messages), metrics."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", **describe()})

    async def ready(_: Request) -> Response:
        if is_ready():
            return JSONResponse({"status": "ready", **describe()})
        return JSONResponse({"status": "not ready", **describe()}, status_code=503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)])
