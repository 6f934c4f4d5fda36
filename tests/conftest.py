"""The servers that tests may ask for, one of each for the whole run. A test makes a database or vhost of its own."""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from redis import Redis
from tests.servers.postgres import postgres_server
from tests.servers.rabbitmq import RabbitServer, rabbitmq_server
from tests.servers.redis import redis_server
from tests.servers.server import Server, ServerMissing

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("here", deadline=None)
settings.load_profile("here")

_numbers = itertools.count(1)


def _running(make: Callable[[Path], Server]) -> Iterator[Server]:
    # Not below pytest's own directory: another session may clean up there.
    with tempfile.TemporaryDirectory(prefix="aicompany-server-", ignore_cleanup_errors=True) as place:
        try:
            server = make(Path(place))
        except ServerMissing as error:
            pytest.skip(str(error))
        try:
            server.start()
            yield server
        finally:
            server.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The shared PostgreSQL. A test that stops it must start it again."""
    yield from _running(postgres_server)


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    """The shared Redis."""
    yield from _running(redis_server)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Server]:
    """The shared RabbitMQ."""
    yield from _running(rabbitmq_server)


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """The address of a fresh database."""
    name = f"company_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{postgres.url.rsplit('/', 1)[0]}/{name}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis_url(redis: Server) -> str:
    """The address of the shared Redis, emptied."""
    with Redis.from_url(redis.url) as client:
        client.flushall()
    return redis.url


@pytest.fixture
def rabbitmq_url(rabbitmq: RabbitServer) -> Iterator[str]:
    """The address of a fresh vhost."""
    name = f"company-{os.getpid()}-{next(_numbers)}"
    yield rabbitmq.add_vhost(name)
    rabbitmq.delete_vhost(name)
