"""A vhost and a user per company, by RabbitMQ's management API.

Source: https://www.rabbitmq.com/docs/management and, for the hash, https://www.rabbitmq.com/docs/passwords.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from aicompany_operator.names import CompanyRef, server_name
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable
from aicompany_operator.servers.owners import PlaceTaken, is_anothers, mark_of, owner_in

_TIMEOUT_SECONDS = 5.0
_AMQP_PORT = 5672
_ALL = ".*"
_RIGHTS = {"configure": _ALL, "write": _ALL, "read": _ALL}
_SALT_BYTES = 4
_COLLISION = "already_exists"


class BrokerPlaces:
    """Places on one RabbitMQ. `admin_url` holds an administrator's login, `address` is where companies reach it."""

    def __init__(self, admin_url: str, address: str | None = None) -> None:
        parts = urlsplit(admin_url)
        place = parts.netloc.rpartition("@")[2]
        self._base = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
        self._login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._address = address or f"{place.removesuffix(f':{parts.port}')}:{_AMQP_PORT}"

    def __repr__(self) -> str:
        return f"<BrokerPlaces at {self._base}>"

    async def ensure(self, company: CompanyRef, password: str) -> str:
        """Make the company's vhost and user where they are not there or not right; the user's address of the vhost.

        The vhost bears the company's mark; one without a mark is taken. Raises `ServerUnreachable`, `ServerRefused`,
        and `PlaceTaken` for one with another's mark.
        """
        name = server_name(company)
        async with self._session() as session:
            await self._take_vhost(session, company)
            user = await self._call(session, "GET", f"/api/users/{_quoted(name)}")
            if user is None or user.get("tags") or not _fits(password, str(user.get("password_hash", ""))):
                await self._call(session, "PUT", f"/api/users/{_quoted(name)}", {"password": password, "tags": ""})
            path = f"/api/permissions/{_quoted(name)}/{_quoted(name)}"
            rights = await self._call(session, "GET", path)
            if rights is None or any(rights.get(right) != _ALL for right in _RIGHTS):
                await self._call(session, "PUT", path, _RIGHTS)
        return f"amqp://{_quoted(name)}:{_quoted(password)}@{self._address}/{_quoted(name)}"

    async def remove(self, company: CompanyRef) -> None:
        """Take both away, with all that is in them; what is another's stays.

        Raises `ServerUnreachable`, `ServerRefused`.
        """
        name = _quoted(server_name(company))
        async with self._session() as session:
            vhost = await self._call(session, "GET", f"/api/vhosts/{name}")
            if is_anothers(_comment(vhost), company):
                return
            # The mark goes last: should the operator die in between, the rest is still known as the company's.
            await self._call(session, "DELETE", f"/api/users/{name}")
            if vhost is not None:
                await self._call(session, "DELETE", f"/api/vhosts/{name}")

    async def _take_vhost(self, session: aiohttp.ClientSession, company: CompanyRef) -> None:
        """Make the vhost, or mark one that bears no mark yet. Raises as `ensure`."""
        name = server_name(company)
        path = f"/api/vhosts/{_quoted(name)}"
        comment = _comment(await self._call(session, "GET", path))
        if owner_in(comment) is None:
            await self._call(session, "PUT", path, {"description": mark_of(company)})
            # Of two that mark it at once the later one has it.
            comment = _comment(await self._call(session, "GET", path))
        if is_anothers(comment, company):
            raise PlaceTaken(
                f"RabbitMQ at {self._base} has a vhost {name} of another company (uid {owner_in(comment)}); remove the "
                "vhost and its user, or name the company otherwise; should its messages be this company's, an empty "
                "description of the vhost gives it over"
            )

    def _session(self) -> aiohttp.ClientSession:
        login = base64.b64encode(self._login.encode()).decode()
        return aiohttp.ClientSession(
            headers={"Authorization": f"Basic {login}"}, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        )

    async def _call(
        self, session: aiohttp.ClientSession, method: str, path: str, body: object = None
    ) -> dict[str, Any] | None:
        """The answer, `{}` for one without content, `None` when what is read or deleted is not there."""
        status, text = await self._asked(session, method, path, body)
        if status == 500 or (status == 400 and _COLLISION in text):
            # Another operator made or removed the same at the same time: the second look finds it done.
            status, text = await self._asked(session, method, path, body)
        if status == 404 and method != "PUT":
            return None
        if status in {401, 403}:
            raise ServerRefused(
                f"RabbitMQ's management API at {self._base} does not take the operator's login; it needs the tag "
                "administrator"
            )
        if status >= 500:
            raise ServerUnreachable(f"RabbitMQ's management API at {self._base} answers {status}")
        if status >= 300:
            raise ServerRefused(f"RabbitMQ at {self._base} refuses {method} {path} ({status})")
        return self._read(text) if text else {}

    async def _asked(self, session: aiohttp.ClientSession, method: str, path: str, body: object) -> tuple[int, str]:
        # The path is quoted already: a vhost's name is one part of it, whatever letters it has.
        url = URL(f"{self._base}{path}", encoded=True)
        try:
            # Passwords go where the administrator said, and nowhere a server points to.
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                session.request(method, url, json=body, allow_redirects=False) as response,
            ):
                return response.status, await response.text()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise ServerUnreachable(
                f"RabbitMQ's management API at {self._base} does not answer ({type(error).__name__})"
            ) from error

    def _read(self, text: str) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ServerRefused(f"what answers at {self._base} is no RabbitMQ's management API")
        return answer


def _comment(vhost: dict[str, Any] | None) -> str | None:
    return None if vhost is None else vhost.get("description")


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _fits(password: str, kept: str) -> bool:
    """Whether RabbitMQ keeps this password: a salt of four bytes, then SHA-256 of salt and password."""
    try:
        packed = base64.b64decode(kept)
    except ValueError:
        return False
    salt, digest = packed[:_SALT_BYTES], packed[_SALT_BYTES:]
    return hmac.compare_digest(hashlib.sha256(salt + password.encode()).digest(), digest)
