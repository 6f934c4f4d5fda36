"""The operator and the commands call a company's parts by the same names."""

from hypothesis import given
from hypothesis import strategies as st

from aicompany.spec.child_names import child_name
from aicompany_operator import names

COMPANIES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?", fullmatch=True)


@given(COMPANIES, st.sampled_from(["credentials", "gateway", "task-generalist"]))
def test_both_give_the_same_name(company, part):
    assert child_name(company, part) == names.child_name(company, part)


@given(COMPANIES)
def test_a_name_fits_and_differs_by_its_end(company):
    name = child_name(company, "credentials")
    assert len(name) <= 52
    assert name != child_name(company, "gateway")
