"""What stands before every request: the token and the size limit, as plain ASGI."""

import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aicompany_desk.gateway.problems import problem

_OPEN_PATHS = frozenset({"/health", "/ready"})


class TokenGuard:
    """Lets a request through that shows the bearer token; health is open to all."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and self._expected and scope["path"] not in _OPEN_PATHS:
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if not secrets.compare_digest(shown, self._expected):
                refusal = problem(
                    401,
                    "token_missing",
                    "this company asks for a token; set AICOMPANY_TOKEN",
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _TooLarge(Exception):
    """Raised inside the app when it reads on beyond the limit."""


class SizeGuard:
    """Refuses bodies over the limit, by what they say of themselves and by what comes."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._bytes_max:
            await self._refuse(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._bytes_max:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"the request is over {self._bytes_max:,} bytes; hand in less, or raise spec.gateway.requestBytesMax"
        await problem(413, "request_too_large", detail)(scope, receive, send)
