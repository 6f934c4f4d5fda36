"""The light cluster with the definition of companies, an operator that works on it, and servers that only listen."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.cluster.cluster import ClusterMissing
from tests.cluster.definition import establish
from tests.cluster.light import light_cluster
from tests.e2e_light.kube import Kubectl, Namespace, servers
from tests.e2e_light.operators import Operator

DEFINITIONS = Path(__file__).parents[2] / "crds"
_leases = itertools.count(1)


@pytest.fixture(scope="session")
def light():
    """The cluster, which knows companies."""
    try:
        with light_cluster() as cluster:
            establish(Kubectl(cluster), DEFINITIONS)
            yield cluster
    except ClusterMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kubectl(light):
    return Kubectl(light)


def new_lease(kubectl):
    """A namespace for the Lease of a set of operators."""
    name = f"operators-{next(_leases)}"
    kubectl("create", "namespace", name)
    return name


@pytest.fixture
def lease(kubectl):
    return new_lease(kubectl)


@pytest.fixture(scope="module")
def operator(light, kubectl, tmp_path_factory):
    """One that works while the tests of a module run."""
    started = Operator(light, tmp_path_factory.mktemp("operator"), lease=new_lease(kubectl))
    yield started
    assert started.end() == 0, started.log.read_text()


@pytest.fixture
def place(kubectl):
    """A namespace of the test's own. Its companies go without being waited for."""
    namespace = Namespace(kubectl)
    yield namespace
    namespace("delete", "aico", "--all", "--wait=false")


class Listener:
    """Stands for servers that companies bring along: it takes connections and says nothing."""

    def __init__(self):
        self.port = 0
        self._server = None

    async def open(self):
        self._server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self):
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@asynccontextmanager
async def listening():
    listener = Listener()
    await listener.open()
    try:
        yield listener
    finally:
        await listener.close()


@pytest.fixture
async def listener():
    async with listening() as listener:
        yield listener


@pytest.fixture
def home(place, listener):
    """A namespace with the Secret of servers that listen."""
    place.apply(servers(listener.port))
    return place
