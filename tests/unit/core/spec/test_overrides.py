"""Environment variables: every field of the specification can be set, and every wrong name is told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from aicompany.errors import SpecInvalid
from aicompany.spec.company import CompanySpec
from aicompany.spec.overrides import with_overrides


def fields_below(model, names=(), place=("spec",)):
    """Name in the environment and place in the file of every field that holds a value."""
    for name, field in model.model_fields.items():
        below, where = (*names, name), (*place, field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields_below(field.annotation, below, where)
        else:
            yield "AICOMPANY_" + "__".join(below).upper(), where


FIELDS = list(fields_below(CompanySpec))


@pytest.mark.parametrize(("name", "place"), FIELDS)
def test_every_field_can_be_set(name, place):
    overridden = with_overrides({}, {name: "3"})
    value = overridden.document
    for key in place:
        value = value[key]
    assert value in {3, "3"}
    assert overridden.variables == {place: name}


@given(st.text())
def test_text_stays_text_whatever_it_looks_like(text):
    document = with_overrides({}, {"AICOMPANY_MODEL__NAME": text}).document
    assert document["spec"]["model"]["name"] == text


def is_refused(environment):
    try:
        with_overrides({"spec": {}}, environment)
    except SpecInvalid:
        return True
    return False


@given(st.dictionaries(st.sampled_from(["A", "GATEWAY", "GATEWAY__", "__", "gateway__port"]) | st.text(), st.text()))
def test_each_name_that_is_refused_alone_is_named_among_others(environment):
    named = {f"AICOMPANY_{name}": value for name, value in environment.items()}
    wrong = [name for name in named if is_refused({name: named[name]})]
    assert is_refused(named) == bool(wrong)
    if wrong:
        with pytest.raises(SpecInvalid) as caught:
            with_overrides({"spec": {}}, named)
        assert all(name in caught.value.message for name in wrong)


def test_all_wrong_names_are_told_at_once():
    environment = {"AICOMPANY_GATEWY": "1", "AICOMPANY_WORKERS__TSK__MAX": "2", "AICOMPANY_AGENTS__0__NAME": "x"}
    with pytest.raises(SpecInvalid) as caught:
        with_overrides({}, environment)
    for words in ("AICOMPANY_GATEWAY?", "AICOMPANY_WORKERS__TASK?", "set AICOMPANY_AGENTS as a whole"):
        assert words in caught.value.message


def test_what_the_commands_read_is_no_override():
    reserved = {"AICOMPANY_TOKEN": "t", "AICOMPANY_STATE": "s", "AICOMPANY_URL": "u", "AICOMPANY_COMPANY": "c"}
    assert with_overrides({"a": 1}, reserved | {"PATH": "p"}).document == {"a": 1}


@pytest.mark.parametrize("spec", [None, 3, [1], "text"])
def test_a_section_that_is_none_is_left_to_whoever_validates(spec):
    overridden = with_overrides({"spec": spec}, {"AICOMPANY_WORKERS__TASK__MAX": "3"})
    assert (overridden.document, overridden.variables) == ({"spec": spec}, {})


def test_the_document_handed_in_is_not_changed():
    document = {"spec": {"workers": {"task": {"max": 2}}}}
    before = json.dumps(document)
    with_overrides(document, {"AICOMPANY_WORKERS__TASK__MAX": "3"})
    assert json.dumps(document) == before
