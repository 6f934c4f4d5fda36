"""Names that others see: short enough for what they name, and different for different companies."""

import re

from hypothesis import given
from hypothesis import strategies as st

from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.names import CompanyRef, child_name, database_name, deployment_name, server_name

LABELS = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
NAMESPACES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
REFS = st.builds(CompanyRef, NAMESPACES, LABELS, st.just("uid"))
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@given(LABELS, LABELS)
def test_a_child_leaves_room_for_its_pods_suffixes(company, part):
    name = child_name(company, part)
    assert len(name) <= 52
    assert DNS_LABEL.fullmatch(name)


@given(LABELS, st.lists(LABELS, min_size=2, max_size=2, unique=True))
def test_different_parts_have_different_names(company, parts):
    assert len({child_name(company, part) for part in parts}) == 2


@given(LABELS)
def test_a_short_name_can_be_read(company):
    assert child_name(company[:20], "gateway") == f"{company[:20]}-gateway"


def test_groups_have_deployments_of_their_own():
    groups = [WorkerGroup("pm"), WorkerGroup("task", "qa"), WorkerGroup("gateway")]
    assert [deployment_name("acme", group) for group in groups] == ["acme-pm", "acme-task-qa", "acme-gateway"]


@given(REFS)
def test_a_database_fits_into_what_postgresql_keeps(company):
    assert len(database_name(company).encode()) <= 63
    assert re.fullmatch(r"[a-z0-9_]+", database_name(company))


@given(st.lists(REFS, min_size=2, max_size=2, unique=True))
def test_different_companies_have_different_places(companies):
    assert len({server_name(company) for company in companies}) == 2
    assert len({database_name(company) for company in companies}) == 2


def test_names_that_look_alike_once_signs_are_replaced_are_still_different():
    one, other = CompanyRef("a-b", "c", "uid"), CompanyRef("a", "b-c", "uid")
    assert database_name(one) != database_name(other)
