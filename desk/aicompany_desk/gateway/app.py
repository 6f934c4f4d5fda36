"""The gateway's application."""

from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

import aicompany
from aicompany.spec.company import CompanySpec
from aicompany_desk.gateway import conversations, dead, problems, tasks
from aicompany_desk.gateway.guards import SizeGuard, TokenGuard
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.rows import json_of


def build_app(spec: CompanySpec, ports: GatewayPorts) -> FastAPI:
    """The application; it holds no state besides its ports."""
    app = FastAPI(
        title="AI Company",
        version=aicompany.__version__,
        description="Hand in orders, follow them, talk.",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.add_middleware(SizeGuard, bytes_max=spec.gateway.request_bytes_max)
    app.add_middleware(TokenGuard, token=ports.token)
    app.include_router(tasks.routes(spec, ports))
    app.include_router(conversations.routes(spec, ports))
    app.include_router(dead.routes(ports))

    @app.get("/v1/status", tags=["company"], summary="How the company is")
    async def status(hours: Annotated[float, Query(gt=0, le=8760)] = 24) -> JSONResponse:
        described = await ports.describe()
        counts = await ports.queries.task_counts()
        summary = await ports.queries.performance_summary(hours)
        return JSONResponse({**described, "orders": counts, "performance": json_of(summary)})

    @app.get("/health", tags=["company"], summary="Alive")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/ready", tags=["company"], summary="Ready: the store answers")
    async def ready() -> JSONResponse:
        await ports.queries.task_counts()
        return JSONResponse({"status": "ready"})

    @app.get("/metrics", tags=["company"], summary="Metrics for Prometheus")
    async def metrics() -> Response:
        return Response(generate_latest(ports.registry), media_type=CONTENT_TYPE_LATEST)

    return app
