"""A server that takes connections and never says a word holds nobody up for good."""

import asyncio
from collections.abc import Callable

from aicompany.observation import Unknown
from aicompany_operator.names import CompanyRef
from aicompany_operator.observed.seen import KeyState
from aicompany_operator.servers.depths import QueueDepths
from aicompany_operator.servers.errors import ServerUnreachable
from aicompany_operator.servers.postgres import StorePlaces
from aicompany_operator.servers.probes import check_key
from aicompany_operator.servers.rabbitmq import BrokerPlaces


async def test_every_question_has_an_end(make_company: Callable[[], CompanyRef]):
    company = make_company()
    ended = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    broker, store = BrokerPlaces(f"http://a:b@{address}"), StorePlaces(f"postgresql://a:b@{address}/postgres")
    async with server:
        *places, depth, key = await asyncio.gather(
            broker.ensure(company, "one"),
            broker.remove(company),
            store.ensure(company, "one"),
            store.remove(company),
            QueueDepths(f"http://{address}").of(company, []),
            check_key(f"http://{address}", "the-key"),
            return_exceptions=True,
        )
        ended.set()
    assert [type(error) for error in places] == [ServerUnreachable] * 4
    assert isinstance(depth, Unknown)
    assert key is KeyState.UNCHECKED
