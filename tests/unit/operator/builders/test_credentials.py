"""The Secret that the operator makes."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator.builders.blueprints import REF, TEXT

from aicompany_operator.builders.credentials import build_credentials, values_of
from aicompany_operator.builders.metadata import metadata_of

ENTRIES = st.dictionaries(st.sampled_from(["broker-url", "store-url", "token"]), TEXT)


@given(ENTRIES)
def test_what_goes_in_comes_out(values):
    assert values_of(build_credentials(REF, values)) == values


def test_it_belongs_to_the_company():
    secret = build_credentials(REF, {"token": "x"})
    assert secret["metadata"] == metadata_of(REF, "acme-credentials")
    assert (secret["type"], secret["data"]) == ("Opaque", {"token": "eA=="})


@given(ENTRIES)
def test_the_order_of_the_values_does_not_matter(values):
    again = dict(reversed(values.items()))
    assert list(build_credentials(REF, values)["data"]) == list(build_credentials(REF, again)["data"])


def test_entries_that_are_no_text_are_left_out():
    assert values_of({"data": {"binary": "/w==", "broken": "=x", "token": "eA=="}}) == {"token": "x"}
    assert values_of({"data": None}) == {}
    assert values_of({}) == {}
