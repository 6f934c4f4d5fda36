"""The gateway takes its token in either header, and nothing that only looks like it."""

import httpx2
import pytest
from starlette.responses import PlainTextResponse

from aicompany_desk.gateway.guards import TokenGuard

TOKEN = "t0ken-with-signs"


async def status_of(headers, path="/v1/tasks", token=TOKEN):
    guard = TokenGuard(PlainTextResponse("in"), token)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=guard), base_url="http://company") as http:
        return (await http.get(path, headers=headers)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"X-AICompany-Token": TOKEN},
        {"x-aicompany-token": TOKEN},
        {"Authorization": f"Bearer {TOKEN}"},
        {"X-AICompany-Token": TOKEN, "Authorization": "Bearer of-the-api-server"},
    ],
)
async def test_the_token_opens(headers):
    assert await status_of(headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-AICompany-Token": ""},
        {"X-AICompany-Token": TOKEN[:-1]},
        {"X-AICompany-Token": f"{TOKEN}s"},
        {"X-AICompany-Token": f"Bearer {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"X-AICompany-Token": "wörng".encode()},
    ],
)
async def test_anything_else_does_not(headers):
    assert await status_of(headers) == 401


async def test_health_is_open_and_no_token_means_no_door():
    assert await status_of({}, path="/health") == 200
    assert await status_of({}, token=None) == 200
