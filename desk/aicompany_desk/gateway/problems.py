"""Errors as HTTP problems (RFC 9457): one table from the error tree to statuses."""

import math
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aicompany.errors import (
    AICompanyError,
    NotFound,
    NotPossible,
    OrderInvalid,
    OrderTooLarge,
    PassingError,
    QueueFull,
    UserError,
    VersionConflict,
)
from aicompany.spec.explain import mistakes_in

STATUS: tuple[tuple[type[AICompanyError], int], ...] = (
    (OrderTooLarge, 413),
    (OrderInvalid, 422),
    (NotFound, 404),
    (NotPossible, 409),
    (VersionConflict, 409),
    (QueueFull, 429),
    (UserError, 400),
    (PassingError, 503),
)
"""The first class that fits; anything else is a 500."""

_TITLES = {
    400: "Bad request",
    401: "Not authorised",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    422: "Not acceptable as it is",
    429: "Too much for now",
    500: "Internal error",
    503: "Not available for now",
}

_DETAILS = {
    400: "the body cannot be read as JSON",
    404: "there is nothing at this address; /openapi.json lists what there is",
    405: "this address does not take this method; /openapi.json lists what there is",
}
"""Of refusals that the framework makes."""

log = structlog.get_logger()


def problem(status: int, code: str, detail: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem document."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    return JSONResponse(
        {**body, "code": code}, status_code=status, headers=headers, media_type="application/problem+json"
    )


def install(app: FastAPI) -> None:
    """Have the app answer with problems."""
    app.add_exception_handler(AICompanyError, _of_our_error)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_bug)


async def _of_our_error(_: Request, error: Exception) -> JSONResponse:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    code = error.code if isinstance(error, AICompanyError) else "defect"
    wait_seconds = error.retry_after_seconds if isinstance(error, PassingError) else None
    headers = {"Retry-After": str(math.ceil(wait_seconds or 1))} if status in {429, 503} else None
    return problem(status, code, str(error), headers=headers)


async def _of_validation(_: Request, error: Exception) -> JSONResponse:
    mistakes = error.errors() if isinstance(error, RequestValidationError) else []
    return problem(422, "request_invalid", _told(mistakes))


def _told(errors: Sequence[Any]) -> str:
    """What is wrong with a request, by the name of each field; `loc` begins with where it came in."""
    if any(found["type"] == "json_invalid" for found in errors):
        return "the body is no valid JSON"
    if any(len(found["loc"]) < 2 for found in errors):
        return "the body must be a JSON object, sent with Content-Type: application/json"
    return "; ".join(mistake.sentence() for mistake in mistakes_in([{**e, "loc": e["loc"][1:]} for e in errors]))


async def _of_http(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    return problem(status, "http", _DETAILS.get(status, detail))


async def _of_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("gateway.defect", path=request.url.path, exc_info=error)
    return problem(500, "defect", "a bug in the program; the log has its trace")
