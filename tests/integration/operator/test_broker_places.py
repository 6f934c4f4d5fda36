"""A company's vhost and user, on a real RabbitMQ."""

import asyncio
import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pika
import pytest
from aiohttp import ClientSession, web
from pika.exceptions import AMQPError, ProbableAccessDeniedError, ProbableAuthenticationError
from tests.integration.operator.conftest import serving
from tests.servers.rabbitmq import RabbitServer
from tests.servers.server import free_port

from aicompany_operator.names import CompanyRef, server_name
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable
from aicompany_operator.servers.owners import PlaceTaken
from aicompany_operator.servers.rabbitmq import BrokerPlaces

Make = Callable[[], CompanyRef]
_ODD = "p@ss/w:rd'\\ %20é\"?#"


def _places(broker: RabbitServer) -> BrokerPlaces:
    return BrokerPlaces(broker.management_url, broker.url.partition("@")[2].partition("/")[0])


def _connect(url: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(pika.URLParameters(url))


def _can_log_in(url: str) -> bool:
    try:
        _connect(url).close()
    except (ProbableAuthenticationError, ProbableAccessDeniedError, AMQPError):
        return False
    return True


def _users(broker: RabbitServer) -> dict[str, dict[str, object]]:
    listed = json.loads(broker.control("export_definitions", "-", "--format", "json"))
    return {user["name"]: user for user in listed["users"]}


async def test_a_company_uses_its_vhost_and_is_no_administrator(broker: RabbitServer, make_company: Make):
    company = make_company()
    url = await _places(broker).ensure(company, _ODD)
    connection = _connect(url)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("work", durable=True, arguments={"x-queue-type": "quorum"})
    channel.basic_publish("", "work", b"one")
    assert channel.basic_get("work", auto_ack=True)[2] == b"one"
    connection.close()
    assert not _users(broker)[server_name(company)]["tags"]
    # Nor is the management API open to it.
    login = f"{server_name(company)}:{quote(_ODD, safe='')}"
    as_company = BrokerPlaces(broker.management_url.replace("guest:guest", login))
    with pytest.raises(ServerRefused):
        await as_company.ensure(make_company(), "x")


async def test_what_is_right_is_left_as_it_is(broker: RabbitServer, make_company: Make):
    company = make_company()
    first = await _places(broker).ensure(company, "one")
    before = _users(broker)[server_name(company)]
    assert await _places(broker).ensure(company, "one") == first
    # Another salt would show that the password was written again.
    assert _users(broker)[server_name(company)] == before


async def test_another_password_takes_the_place_of_the_first(broker: RabbitServer, make_company: Make):
    company = make_company()
    first = await _places(broker).ensure(company, "one")
    second = await _places(broker).ensure(company, "two")
    assert not _can_log_in(first)
    assert _can_log_in(second)


async def test_what_somebody_took_away_or_added_is_mended(broker: RabbitServer, make_company: Make):
    company = make_company()
    name = server_name(company)
    url = await _places(broker).ensure(company, "one")
    broker.control("clear_permissions", "-p", name, name)
    broker.control("set_user_tags", name, "administrator")
    assert not _can_log_in(url)
    await _places(broker).ensure(company, "one")
    assert _can_log_in(url)
    assert not _users(broker)[name]["tags"]


async def test_several_operators_at_once_make_one_place(broker: RabbitServer, make_company: Make):
    for _ in range(3):
        company = make_company()
        urls = await asyncio.gather(*(_places(broker).ensure(company, "one") for _ in range(6)))
        assert len(set(urls)) == 1
        assert _can_log_in(urls[0])
        await asyncio.gather(*(_places(broker).remove(company) for _ in range(6)))
        assert not _can_log_in(urls[0])


async def test_remove_takes_vhost_and_user_even_from_one_who_is_in(broker: RabbitServer, make_company: Make):
    company = make_company()
    places, name = _places(broker), server_name(company)
    await places.remove(company)
    connection = _connect(await places.ensure(company, "one"))
    channel = connection.channel()
    channel.queue_declare("work", durable=True, arguments={"x-queue-type": "quorum"})
    await places.remove(company)
    with pytest.raises(AMQPError):
        channel.queue_declare("work", passive=True)
    await places.remove(company)
    assert name not in _users(broker)
    assert name not in broker.control("list_vhosts", "name").split()


async def test_a_company_that_comes_back_finds_an_empty_place(broker: RabbitServer, make_company: Make):
    company, places = make_company(), _places(broker)
    connection = _connect(await places.ensure(company, "one"))
    connection.channel().queue_declare("work", durable=True, arguments={"x-queue-type": "quorum"})
    connection.close()
    await places.remove(company)
    connection = _connect(await places.ensure(company, "one"))
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="NOT_FOUND"):
        connection.channel().queue_declare("work", passive=True)
    connection.close()


async def test_one_company_reaches_nothing_of_another(broker: RabbitServer, make_company: Make):
    mine, other = make_company(), make_company()
    url = await _places(broker).ensure(mine, "one")
    await _places(broker).ensure(other, "two")
    assert _can_log_in(url)
    for vhost in (server_name(other), "/"):
        # Whoever is not let in the vhost can neither declare nor read there.
        with pytest.raises(ProbableAccessDeniedError):
            _connect(f"{url.rsplit('/', 1)[0]}/{quote(vhost, safe='')}")


def _comment(broker: RabbitServer, company: CompanyRef) -> str:
    listed = json.loads(broker.control("list_vhosts", "name", "description", "--formatter", "json"))
    return {vhost["name"]: vhost["description"] for vhost in listed}[server_name(company)]


async def test_a_place_bears_the_mark_of_its_company(broker: RabbitServer, make_company: Make):
    company = make_company()
    await _places(broker).ensure(company, "one")
    assert _comment(broker, company) == f"aicompany.io/uid={company.uid}"


async def test_the_place_of_another_is_refused_and_stays_as_it_is(broker: RabbitServer, make_company: Make):
    """As of a company of the same name in another cluster, or of a new one after this was deleted."""
    mine = make_company()
    url = await _places(broker).ensure(mine, "one")
    before = _users(broker)[server_name(mine)]
    with pytest.raises(
        PlaceTaken, match=f"vhost {server_name(mine)} of another company.*or name the company"
    ) as caught:
        await _places(broker).ensure(replace(mine, uid="of-another"), "cl3ar")
    _assert_without(["cl3ar", "guest:guest"], caught.value, "")
    assert _users(broker)[server_name(mine)] == before
    assert _comment(broker, mine) == f"aicompany.io/uid={mine.uid}"
    assert _can_log_in(url)


async def test_remove_leaves_the_place_of_another(broker: RabbitServer, make_company: Make):
    mine = make_company()
    url = await _places(broker).ensure(mine, "one")
    with _connect(url) as connection:
        connection.channel().queue_declare("work", durable=True, arguments={"x-queue-type": "quorum"})
    await _places(broker).remove(replace(mine, uid="of-another"))
    with _connect(url) as connection:
        connection.channel().queue_declare("work", passive=True)
    await _places(broker).remove(mine)
    assert not _can_log_in(url)


@pytest.mark.parametrize("comment", ["", "some-team/acme"])
async def test_a_place_without_a_mark_is_taken_with_all_that_is_in_it(
    comment: str, broker: RabbitServer, make_company: Make
):
    """As an earlier version made them."""
    mine = make_company()
    with _connect(await _places(broker).ensure(mine, "one")) as connection:
        connection.channel().queue_declare("work", durable=True, arguments={"x-queue-type": "quorum"})
    await _unmark(broker, mine, comment)
    heir = replace(mine, uid="of-the-heir")
    with _connect(await _places(broker).ensure(heir, "two")) as connection:
        connection.channel().queue_declare("work", passive=True)
    assert _comment(broker, mine) == "aicompany.io/uid=of-the-heir"
    with pytest.raises(PlaceTaken):
        await _places(broker).ensure(mine, "one")


async def test_a_place_without_a_mark_can_be_removed(broker: RabbitServer, make_company: Make):
    mine = make_company()
    url = await _places(broker).ensure(mine, "one")
    await _unmark(broker, mine, "some-team/acme")
    await _places(broker).remove(mine)
    assert not _can_log_in(url)
    assert server_name(mine) not in broker.control("list_vhosts", "name").split()
    assert server_name(mine) not in _users(broker)


async def test_a_user_whose_vhost_is_gone_is_removed(broker: RabbitServer, make_company: Make):
    mine = make_company()
    await _places(broker).ensure(mine, "one")
    broker.control("delete_vhost", server_name(mine))
    await _places(broker).remove(mine)
    assert server_name(mine) not in _users(broker)


async def _unmark(broker: RabbitServer, company: CompanyRef, comment: str) -> None:
    async with (
        ClientSession() as session,
        session.put(
            f"{broker.management_url}/api/vhosts/{server_name(company)}", json={"description": comment}
        ) as answer,
    ):
        assert answer.status == 204
    assert _comment(broker, company) == comment


async def test_a_slash_at_the_end_of_the_address_changes_nothing(broker: RabbitServer, make_company: Make):
    address = broker.url.partition("@")[2].partition("/")[0]
    assert _can_log_in(await BrokerPlaces(f"{broker.management_url}/", address).ensure(make_company(), "one"))


async def test_an_address_where_no_management_api_is_makes_no_place(broker: RabbitServer, make_company: Make):
    with pytest.raises(ServerRefused):
        await BrokerPlaces(f"{broker.management_url}/elsewhere").ensure(make_company(), "one")


async def test_somebody_elses_page_makes_no_place(make_company: Make):
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>a page</html>")

    async with serving(page) as url:
        with pytest.raises(ServerRefused, match="no RabbitMQ's management API"):
            await BrokerPlaces(url).ensure(make_company(), "one")


async def test_a_password_is_not_carried_on_to_where_the_server_points(make_company: Make):
    visits: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        visits.append(request.path)
        return web.Response()

    async with serving(elsewhere) as other:

        async def pointing(request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(other)

        async with serving(pointing) as url:
            with pytest.raises(ServerRefused):
                await BrokerPlaces(url).ensure(make_company(), "one")
    assert visits == []


async def test_a_wrong_login_is_a_refusal_without_the_password(broker: RabbitServer, make_company: Make):
    places = BrokerPlaces(broker.management_url.replace("guest:guest", "guest:wr0ng"))
    for call in (lambda: places.ensure(make_company(), "cl3ar"), lambda: places.remove(make_company())):
        with pytest.raises(ServerRefused, match="does not take the operator's login") as caught:
            await call()
        _assert_without(["wr0ng", "cl3ar"], caught.value, places)


async def test_a_server_that_is_away_is_unreachable(make_company: Make):
    port = free_port()
    places = BrokerPlaces(f"http://guest:s3cret@127.0.0.1:{port}")
    for call in (lambda: places.ensure(make_company(), "cl3ar"), lambda: places.remove(make_company())):
        with pytest.raises(ServerUnreachable, match=str(port)) as caught:
            await call()
        _assert_without(["s3cret", "cl3ar"], caught.value, places)


def _assert_without(hidden: list[str], error: BaseException, shown: object) -> None:
    told = "".join(traceback.format_exception(error)) + repr(shown)
    # The source lines of this very file are part of a trace.
    told = "\n".join(line for line in told.splitlines() if not line.startswith("    "))
    assert [secret for secret in hidden if secret in told] == []
