"""Whose leftovers are removed, and when they are forgotten."""

import json

import pytest

from aicompany_operator.names import CompanyRef
from aicompany_operator.reconcile.leftovers import Leftovers
from aicompany_operator.servers.errors import ServerUnreachable

FIRST, SECOND, THIRD = (CompanyRef("team", "acme", uid) for uid in ("uid-1", "uid-2", "uid-3"))
OTHER = CompanyRef("team", "globex", "uid-9")


class Cluster:
    """Keeps the one ConfigMap."""

    def __init__(self):
        self.data = {}

    async def get(self, resource, namespace, name):
        return {"data": dict(self.data)}

    async def apply(self, resource, manifest):
        self.data = manifest["data"]
        return manifest


class Server:
    """Keeps by name whose place it is, and removes as the real ones do."""

    def __init__(self):
        self.is_away = False
        self.owners = {}

    async def remove(self, company):
        if self.is_away:
            raise ServerUnreachable("away")
        if self.owners.get(str(company)) == company.uid:
            del self.owners[str(company)]


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def leftovers(cluster, server):
    return Leftovers(cluster, "aicompany-system", {"store": server})


async def test_the_place_of_a_new_company_of_the_same_name_stays(leftovers, cluster, server):
    await leftovers.add(FIRST, ("store",))
    server.owners = {str(SECOND): SECOND.uid}
    assert await leftovers.remove_what_can_be() == 1
    assert server.owners == {str(SECOND): SECOND.uid}
    assert cluster.data == {}


async def test_one_that_leaves_something_does_not_hide_what_its_namesake_left(leftovers, cluster, server):
    server.owners = {str(FIRST): FIRST.uid}
    await leftovers.add(FIRST, ("store",))
    await leftovers.add(SECOND, ("store",))
    assert sorted(json.loads(text)["uid"] for text in cluster.data.values()) == [FIRST.uid, SECOND.uid]
    assert await leftovers.remove_what_can_be() == 2
    assert server.owners == {}


async def test_a_new_company_clears_what_all_its_namesakes_left_and_nothing_else(leftovers, cluster, server):
    for company in (FIRST, SECOND, THIRD, OTHER):
        await leftovers.add(company, ("store",))
    server.owners = {str(FIRST): FIRST.uid, str(OTHER): OTHER.uid}
    await leftovers.clear(THIRD)
    assert server.owners == {str(OTHER): OTHER.uid}
    assert sorted(json.loads(text)["uid"] for text in cluster.data.values()) == [THIRD.uid, OTHER.uid]


async def test_what_an_earlier_version_noted_by_name_is_found(leftovers, cluster, server):
    entry = {"namespace": "team", "name": "acme", "uid": FIRST.uid, "servers": ["store"]}
    cluster.data = {"team.acme": json.dumps(entry)}
    server.owners = {str(FIRST): FIRST.uid}
    await leftovers.clear(SECOND)
    assert (server.owners, cluster.data) == ({}, {})


async def test_while_the_server_is_away_nothing_is_forgotten(leftovers, cluster, server):
    await leftovers.add(FIRST, ("store",))
    server.is_away = True
    assert await leftovers.remove_what_can_be() == 0
    with pytest.raises(ServerUnreachable):
        await leftovers.clear(SECOND)
    assert [json.loads(text)["uid"] for text in cluster.data.values()] == [FIRST.uid]
