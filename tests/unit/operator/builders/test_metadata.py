"""Labels and owners."""

import pytest
from tests.unit.operator.builders.blueprints import GROUPS, PM, QA, REF

from aicompany_operator.builders.metadata import metadata_of, selector_of


def test_an_object_of_the_whole_company_has_no_component():
    labels = metadata_of(REF, "acme-company")["labels"]
    assert "app.kubernetes.io/component" not in labels
    assert not {"aicompany.io/role", "aicompany.io/agent", "aicompany.io/track"} & labels.keys()


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_an_object_of_a_group_has_all_labels_of_the_company_too(group):
    company, own = metadata_of(REF, "x")["labels"], metadata_of(REF, "x", group)["labels"]
    assert company.items() <= own.items()
    assert own["app.kubernetes.io/component"] == group.role


def test_selectors_of_groups_differ():
    assert selector_of(REF, PM) == {
        "aicompany.io/company": "acme",
        "aicompany.io/role": "pm",
        "aicompany.io/track": "stable",
    }
    assert selector_of(REF, QA) == {
        "aicompany.io/company": "acme",
        "aicompany.io/role": "task",
        "aicompany.io/agent": "qa",
        "aicompany.io/track": "stable",
    }
