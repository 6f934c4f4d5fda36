"""The servers that tests may ask for, one of each for the whole run. A test makes a database or vhost of its own."""

import itertools
import os
from collections.abc import Iterator

import psycopg
import pytest
from tests.servers.postgres import postgres_server
from tests.servers.rabbitmq import RabbitServer, rabbitmq_server
from tests.servers.redis import redis_server
from tests.servers.server import Server, ServerMissing

_numbers = itertools.count(1)


def _running(make, tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Server]:
    try:
        server = make(tmp_path_factory.mktemp(name))
    except ServerMissing as error:
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared PostgreSQL. A test that stops it must start it again."""
    yield from _running(postgres_server, tmp_path_factory, "postgres")


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared Redis."""
    yield from _running(redis_server, tmp_path_factory, "redis")


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared RabbitMQ."""
    yield from _running(rabbitmq_server, tmp_path_factory, "rabbitmq")


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
    """The address of the shared Redis; use a key prefix of your own."""
    return redis.url


@pytest.fixture
def rabbitmq_url(rabbitmq: RabbitServer) -> Iterator[str]:
    """The address of a fresh vhost."""
    name = f"company-{os.getpid()}-{next(_numbers)}"
    yield rabbitmq.add_vhost(name)
    rabbitmq.delete_vhost(name)
