"""A database that cannot hold the text of all languages is refused with a sentence."""

import psycopg
import pytest
from psycopg import sql

from aicompany.errors import StateUnusable
from aicompany.spec.servers import StoreSpec
from aicompany_workers.store.postgres.migrations import migrate


def test_a_database_that_is_not_utf8_is_named_with_the_way_out(postgres_url: str):
    name = sql.Identifier("plain_ascii")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        make = "CREATE DATABASE {} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        connection.execute(sql.SQL(make).format(name))
        try:
            with pytest.raises(StateUnusable, match="SQL_ASCII; make one with ENCODING 'UTF8'"):
                migrate(StoreSpec(url=f"{postgres_url.rsplit('/', 1)[0]}/plain_ascii"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {}").format(name))
