"""Asking servers that are not the operator's."""

import asyncio
import traceback

import pytest
from aiohttp import web
from tests.integration.operator.conftest import serving
from tests.messages_api.server import MessagesApi
from tests.servers.server import free_port

from aicompany_operator.observed.seen import KeyState
from aicompany_operator.servers.errors import ServerUnreachable
from aicompany_operator.servers.probes import check_key, reach

_UNREADABLE = [
    "amqp://worker:ab/s3cret@broker:5672/x",
    "amqp://worker:123/s3cret@broker:5672/x",
    "postgresql://worker:s3cret@:x/db",
    "postgresql://worker:s3cret@/db",
    "redis://worker:s3cret@[::1",
    f"redis://worker:s3cret@{'a' * 64}/0",
    "gopher://worker:s3cret@there:70",
    "host=there password=s3cret",
    "",
]


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "postgres", "postgresql", "redis", "rediss"])
async def test_a_server_that_listens_is_reached(scheme: str):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await reach(f" {scheme}://worker:s3cret@127.0.0.1:{port}/place\n")


async def test_a_server_that_is_away_is_named_by_host_and_port():
    port = free_port()
    with pytest.raises(ServerUnreachable, match=f"127.0.0.1:{port}") as caught:
        await reach(f"amqp://worker:s3cret@127.0.0.1:{port}/place")
    assert "s3cret" not in _told(caught.value)


@pytest.mark.parametrize("url", _UNREADABLE)
async def test_an_address_that_cannot_be_read_is_unreachable_and_not_repeated(url: str):
    with pytest.raises(ServerUnreachable) as caught:
        await reach(url)
    assert [part for part in ("s3cret", "'ab'", "123") if part in _told(caught.value)] == []


async def test_a_key_is_accepted_or_rejected_by_the_service():
    api = MessagesApi(key="the-right-one")
    async with api.serving():
        assert await check_key(api.url, "the-right-one") is KeyState.ACCEPTED
        assert await check_key(f"{api.url}/", "the-right-one") is KeyState.ACCEPTED
        assert await check_key(api.url, "another") is KeyState.REJECTED


async def test_the_question_is_that_of_the_messages_api():
    asked: list[web.Request] = []

    async def models(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response({"data": []})

    async with serving(models) as url:
        await check_key(url, "the-key")
    assert [request.path_qs for request in asked] == ["/v1/models?limit=1"]
    assert (asked[0].headers["x-api-key"], asked[0].headers["anthropic-version"]) == ("the-key", "2023-06-01")


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, KeyState.ACCEPTED), (401, KeyState.REJECTED), (403, KeyState.REJECTED), (404, KeyState.UNCHECKED),
     (429, KeyState.UNCHECKED), (500, KeyState.UNCHECKED), (529, KeyState.UNCHECKED)],
)  # fmt: skip
async def test_only_a_clear_answer_counts(status: int, state: KeyState):
    async def models(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(models) as url:
        assert await check_key(url, "the-key") is state


async def test_a_key_is_not_carried_on_to_where_the_service_points():
    keys: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.Response:
        keys.append(request.headers.get("x-api-key"))
        return web.Response()

    async with serving(elsewhere) as other:

        async def models(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(other)

        async with serving(models) as url:
            assert await check_key(url, "the-key") is KeyState.UNCHECKED
    assert keys == []


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel☃"])
async def test_a_key_that_cannot_be_sent_is_never_accepted(key: str):
    api = MessagesApi(key="the-right-one")
    async with api.serving():
        assert await check_key(api.url, key) is not KeyState.ACCEPTED


async def test_a_service_that_is_away_leaves_the_key_unchecked():
    assert await check_key(f"http://127.0.0.1:{free_port()}", "the-key") is KeyState.UNCHECKED


def _told(error: BaseException) -> str:
    # The source lines of this very file are part of a trace.
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(line for line in lines if not line.startswith("    "))
