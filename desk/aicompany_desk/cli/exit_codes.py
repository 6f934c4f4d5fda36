"""Exit codes: stable, one table from the error tree."""

import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import click

from aicompany import errors
from aicompany.errors import AICompanyError
from aicompany_desk.gateway.token import TokenUnusable
from aicompany_workers.model.credentials import KeyUnusable
from aicompany_workers.model.select import ModelUnusable

ORDER_FAILED = 1
USAGE = 2
INVALID = 3
NOT_FOUND = 4
NOT_RUNNING = 5
STATE = 6
ADDRESS = 7
REFUSED_FOR_NOW = 8
CREDENTIALS = 9
DEFECT = 70
INTERRUPTED = 130

MEANING: dict[int, str] = {
    0: "done",
    ORDER_FAILED: "the order failed or was cancelled",
    USAGE: "the command's words are off",
    INVALID: "the company's file, the order or what was asked for is not valid",
    NOT_FOUND: "there is no such task, conversation or dead letter",
    NOT_RUNNING: "no company is running, or it cannot be reached",
    STATE: "the state directory cannot be used",
    ADDRESS: "the port is in use",
    REFUSED_FOR_NOW: "refused for now: queues are full or something is away; try again later",
    CREDENTIALS: "the key or the token is missing or not accepted",
    DEFECT: "a bug in the program",
    INTERRUPTED: "interrupted",
}

OF_ERROR: tuple[tuple[type[AICompanyError], int], ...] = (
    (errors.NotFound, NOT_FOUND),
    (errors.CompanyNotRunning, NOT_RUNNING),
    (errors.StateUnusable, STATE),
    (errors.AddressInUse, ADDRESS),
    (errors.CredentialsInvalid, CREDENTIALS),
    (KeyUnusable, CREDENTIALS),
    (ModelUnusable, CREDENTIALS),
    (TokenUnusable, CREDENTIALS),
    (errors.UserError, INVALID),
    (errors.PassingError, REFUSED_FOR_NOW),
    (errors.PermanentError, ORDER_FAILED),
)
"""The first class that fits; anything else is a bug."""

_OF_HTTP_STATUS = {401: CREDENTIALS, 404: NOT_FOUND, 429: REFUSED_FOR_NOW, 503: REFUSED_FOR_NOW, 500: DEFECT}


class GatewayRefused(AICompanyError):
    """The gateway answered with a problem."""

    code = "gateway_refused"

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def explain(error: BaseException) -> int:
    """Say the sentence on standard error and return the exit code; a bug's trace goes to a file."""
    known = next(_ours_in(error), None)
    if known is not None:
        click.echo(f"error: {known.message}", err=True)
        return code_of(known)
    if isinstance(error, BaseExceptionGroup) and all(isinstance(e, KeyboardInterrupt) for e in error.exceptions):
        return INTERRUPTED
    with tempfile.NamedTemporaryFile("w", prefix="aicompany-", suffix=".trace", delete=False) as trace:
        traceback.print_exception(error, file=trace)
    click.echo(
        f"error: a bug in the program ({type(error).__name__}); its trace is in {Path(trace.name)}, please report it",
        err=True,
    )
    return DEFECT


def code_of(error: AICompanyError) -> int:
    """The exit code of one of our errors."""
    if isinstance(error, GatewayRefused):
        return _OF_HTTP_STATUS.get(error.status, INVALID)
    return next((code for kind, code in OF_ERROR if isinstance(error, kind)), DEFECT)


def _ours_in(error: BaseException) -> Iterator[AICompanyError]:
    if isinstance(error, AICompanyError):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _ours_in(part)
