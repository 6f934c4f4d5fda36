"""Which companies an object has to do with."""

from aicompany_operator.observed.child import companies_of

OWNER = {"kind": "AICompany", "name": "acme", "uid": "1", "controller": True}


def test_by_its_label_and_by_its_owner():
    assert companies_of({"labels": {"aicompany.io/company": "acme"}, "ownerReferences": [OWNER]}) == {"acme"}
    assert companies_of({"labels": {"aicompany.io/company": "other"}, "ownerReferences": [OWNER]}) == {"acme", "other"}


def test_an_object_without_the_label_still_has_its_owner():
    assert companies_of({"ownerReferences": [OWNER]}) == {"acme"}


def test_others_have_none():
    assert companies_of({}) == frozenset()
    assert companies_of({"ownerReferences": [{"kind": "ReplicaSet", "name": "acme-pm", "uid": "2"}]}) == frozenset()
