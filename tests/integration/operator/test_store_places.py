"""A company's database and role, on a real PostgreSQL."""

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from tests.integration.operator.conftest import SECRET, can_log_in
from tests.servers.server import free_port

from aicompany_operator.names import CompanyRef, database_name
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable
from aicompany_operator.servers.owners import PlaceTaken
from aicompany_operator.servers.postgres import StorePlaces

Make = Callable[[], CompanyRef]
_ODD = "p@ss/w:rd'\\ %20é\"?#"


def _asked(url: str, question: str, *values: object) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question, values).fetchone()
    return row[0] if row else None


def _elsewhere(url: str, company: CompanyRef) -> str:
    """The same login, the other company's database."""
    return f"{url.rsplit('/', 1)[0]}/{database_name(company)}"


async def test_a_company_owns_its_database_and_is_nobody_else(admin_url: str, database: str, make_company: Make):
    company = make_company()
    url = await StorePlaces(admin_url).ensure(company, _ODD)

    assert _asked(url, "SELECT current_database()") == database_name(company)
    assert _asked(url, "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()") == (
        "UTF8"
    )
    rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles"
    assert _asked(url, f"{rights} WHERE rolname = current_user") is False
    kept = _asked(database, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", database_name(company))
    assert str(kept).startswith("SCRAM-SHA-256$")


async def test_what_is_right_is_left_as_it_is(admin_url: str, database: str, make_company: Make):
    company = make_company()
    kept = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
    first = await StorePlaces(admin_url).ensure(company, "one")
    before = _asked(database, kept, database_name(company))
    assert await StorePlaces(admin_url).ensure(company, "one") == first
    # Another salt would show that the password was written again.
    assert _asked(database, kept, database_name(company)) == before


async def test_another_password_takes_the_place_of_the_first(admin_url: str, make_company: Make):
    company, places = make_company(), StorePlaces(admin_url)
    first = await places.ensure(company, "one")
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    second = await places.ensure(company, "two")
    assert not can_log_in(first)
    assert _asked(second, "SELECT count(*) FROM kept") == 0


async def test_several_operators_at_once_make_one_place(admin_url: str, make_company: Make):
    for _ in range(3):
        company = make_company()
        urls = await asyncio.gather(*(StorePlaces(admin_url).ensure(company, "one") for _ in range(6)))
        assert len(set(urls)) == 1
        assert can_log_in(urls[0])
        await asyncio.gather(*(StorePlaces(admin_url).remove(company) for _ in range(6)))
        assert not can_log_in(urls[0])


async def test_remove_takes_database_and_role_even_from_one_who_is_in(
    admin_url: str, database: str, make_company: Make
):
    company, places = make_company(), StorePlaces(admin_url)
    await places.remove(company)
    url = await places.ensure(company, "one")
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
        await places.remove(company)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    await places.remove(company)
    there = "SELECT (SELECT count(*) FROM pg_database WHERE datname = %s) + "
    there += "(SELECT count(*) FROM pg_roles WHERE rolname = %s)"
    assert _asked(database, there, database_name(company), database_name(company)) == 0


async def test_a_company_that_comes_back_finds_an_empty_place(admin_url: str, make_company: Make):
    company, places = make_company(), StorePlaces(admin_url)
    with psycopg.connect(await places.ensure(company, "one")) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    await places.remove(company)
    assert _asked(await places.ensure(company, "one"), "SELECT to_regclass('kept')") is None


async def test_one_company_reaches_nothing_of_another(admin_url: str, make_company: Make):
    places = StorePlaces(admin_url)
    mine, other = make_company(), make_company()
    url, other_url = await places.ensure(mine, "one"), await places.ensure(other, "two")
    with psycopg.connect(other_url) as connection:
        connection.execute("CREATE TABLE orders (n int)")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(_elsewhere(url, other))
    forbidden = [
        "DROP DATABASE {}", "ALTER DATABASE {} OWNER TO CURRENT_USER", "SET ROLE {}", "DROP ROLE {}",
        "CREATE DATABASE mine TEMPLATE {}", "ALTER ROLE {} PASSWORD 'x'", "GRANT {} TO CURRENT_USER",
    ]  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in forbidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL(statement).format(sql.Identifier(database_name(other))))


async def test_a_place_left_open_half_made_is_closed(admin_url: str, make_company: Make):
    """As by an operator that died between making the database and closing it to others."""
    places, mine, other = StorePlaces(admin_url), make_company(), make_company()
    url, other_url = await places.ensure(mine, "one"), await places.ensure(other, "two")
    with psycopg.connect(other_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO PUBLIC").format(sql.Identifier(database_name(other)))
        )
    intruding = _elsewhere(url, other)
    assert can_log_in(intruding)
    await places.ensure(other, "two")
    assert not can_log_in(intruding)


_KEPT = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"


def _comment(database: str, company: CompanyRef) -> object:
    asked = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    return _asked(database, asked, database_name(company))


def _unmark(database: str, company: CompanyRef, comment: str | None) -> None:
    said = sql.SQL("COMMENT ON DATABASE {} IS {}").format(
        sql.Identifier(database_name(company)), sql.SQL("NULL") if comment is None else sql.Literal(comment)
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(said)


async def _with_rows(admin_url: str, company: CompanyRef) -> str:
    url = await StorePlaces(admin_url).ensure(company, "one")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    return url


async def test_a_place_bears_the_mark_of_its_company(admin_url: str, database: str, make_company: Make):
    company = make_company()
    await StorePlaces(admin_url).ensure(company, "one")
    assert _comment(database, company) == f"aicompany.io/uid={company.uid}"


@pytest.mark.parametrize("password", ["one", "cl3ar"])
async def test_the_place_of_another_is_refused_and_stays_as_it_is(
    password: str, admin_url: str, database: str, make_company: Make
):
    """As of a company of the same name in another cluster, whatever password that has."""
    mine = make_company()
    url = await _with_rows(admin_url, mine)
    before = _asked(database, _KEPT, database_name(mine))
    refused = f"database {database_name(mine)} of another company.*or name the company otherwise"
    with pytest.raises(PlaceTaken, match=refused) as caught:
        await StorePlaces(admin_url).ensure(replace(mine, uid="of-another"), password)
    _assert_without(["cl3ar"], caught.value)
    assert _asked(database, _KEPT, database_name(mine)) == before
    assert _comment(database, mine) == f"aicompany.io/uid={mine.uid}"
    assert _asked(url, "SELECT n FROM kept") == 7


async def test_of_several_namesakes_at_once_one_gets_the_place(admin_url: str, database: str, make_company: Make):
    first = make_company()
    namesakes = [first, *(replace(first, uid=f"of-another-{number}") for number in range(4))]
    answers = await asyncio.gather(
        *(StorePlaces(admin_url).ensure(company, company.uid) for company in namesakes), return_exceptions=True
    )
    urls = {company.uid: url for company, url in zip(namesakes, answers, strict=True) if isinstance(url, str)}
    assert [type(answer) for answer in answers].count(PlaceTaken) == 4
    assert [f"aicompany.io/uid={uid}" for uid in urls] == [_comment(database, first)]
    assert all(can_log_in(url) for url in urls.values())


async def test_remove_leaves_the_place_of_another(admin_url: str, make_company: Make):
    mine = make_company()
    url = await _with_rows(admin_url, mine)
    with psycopg.connect(url) as connection:
        await StorePlaces(admin_url).remove(replace(mine, uid="of-another"))
        # Nor is anybody thrown out.
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    await StorePlaces(admin_url).remove(mine)
    assert not can_log_in(url)


@pytest.mark.parametrize("comment", [None, "the database of acme"])
async def test_a_place_without_a_mark_is_taken_with_all_that_is_in_it(
    comment: str | None, admin_url: str, database: str, make_company: Make
):
    """As an earlier version made them."""
    mine = make_company()
    await _with_rows(admin_url, mine)
    _unmark(database, mine, comment)
    heir = replace(mine, uid="of-the-heir")
    assert _asked(await StorePlaces(admin_url).ensure(heir, "two"), "SELECT n FROM kept") == 7
    assert _comment(database, mine) == "aicompany.io/uid=of-the-heir"
    with pytest.raises(PlaceTaken):
        await StorePlaces(admin_url).ensure(mine, "one")


async def test_a_place_that_works_is_marked_all_the_same(admin_url: str, database: str, make_company: Make):
    mine = make_company()
    first = await StorePlaces(admin_url).ensure(mine, "one")
    _unmark(database, mine, None)
    assert await StorePlaces(admin_url).ensure(mine, "one") == first
    assert _comment(database, mine) == f"aicompany.io/uid={mine.uid}"


async def test_a_place_without_a_mark_can_be_removed(admin_url: str, database: str, make_company: Make):
    mine = make_company()
    url = await StorePlaces(admin_url).ensure(mine, "one")
    _unmark(database, mine, None)
    await StorePlaces(admin_url).remove(mine)
    assert not can_log_in(url)
    assert _asked(database, _KEPT, database_name(mine)) is None


async def test_options_of_the_administrator_reach_companies_but_not_its_login(admin_url: str, make_company: Make):
    login, address = admin_url.removeprefix("postgresql://").rsplit("@", 1)
    user, password = login.split(":")
    told = f"postgresql://{address}?user={user}&password={password}&sslmode=prefer&application_name=operator"
    url = await StorePlaces(told).ensure(make_company(), "one")
    assert url.endswith("?sslmode=prefer")
    assert can_log_in(url)


@pytest.mark.parametrize("admin", ["nobody", "postgres"])
async def test_a_wrong_login_is_a_refusal_without_the_password(admin: str, admin_url: str, make_company: Make):
    address = admin_url.rsplit("@", 1)[1]
    places = StorePlaces(f"postgresql://{admin}:{quote('wr0ng/word', safe='')}@{address}")
    for call in (lambda: places.ensure(make_company(), "cl3ar"), lambda: places.remove(make_company())):
        with pytest.raises(ServerRefused, match="does not take the operator's login") as caught:
            await call()
        _assert_without(["wr0ng", "cl3ar"], caught.value, places)


async def test_a_role_that_may_make_nothing_is_a_refusal_without_the_password(database: str, make_company: Make):
    plain = await StorePlaces(database).ensure(make_company(), "pl4in")
    with pytest.raises(ServerRefused, match="CREATEROLE") as caught:
        await StorePlaces(plain).ensure(make_company(), "cl3ar")
    _assert_without(["pl4in", "cl3ar"], caught.value)


async def test_an_address_that_cannot_be_read_is_a_refusal_without_the_password(make_company: Make):
    places = StorePlaces("postgresql://postgres:s3cret%zz@127.0.0.1:5432/postgres")
    with pytest.raises(ServerRefused) as caught:
        await places.ensure(make_company(), "cl3ar")
    _assert_without(["s3cret", "cl3ar"], caught.value, places)


async def test_a_server_that_is_away_is_unreachable(make_company: Make):
    port = free_port()
    places = StorePlaces(f"postgresql://postgres:s3cret@127.0.0.1:{port}/postgres")
    for call in (lambda: places.ensure(make_company(), "cl3ar"), lambda: places.remove(make_company())):
        with pytest.raises(ServerUnreachable, match=str(port)) as caught:
            await call()
        _assert_without(["s3cret", "cl3ar"], caught.value, places)


def _assert_without(hidden: list[str], error: BaseException, *shown: object) -> None:
    told = "".join(traceback.format_exception(error)) + "".join(map(repr, shown))
    # The source lines of this very file are part of a trace.
    told = "\n".join(line for line in told.splitlines() if not line.startswith("    "))
    assert [secret for secret in (*hidden, SECRET) if secret in told] == []
