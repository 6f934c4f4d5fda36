"""Every validator of the specification is a rule of the API server too."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, TypeAdapter, ValidationError

from aicompany.spec.address import WEB_ADDRESS, ServerAddress, WebAddress
from aicompany.spec.company import CompanySpec
from aicompany.spec.model import ModelSpec
from aicompany_operator.crd.definition import definition
from aicompany_operator.crd.rules import ADDRESS, FIELD_RULES, NAME, NOT_IN_CEL, RULES
from aicompany_operator.crd.schema import schema_of, section_in


def models(model):
    yield model
    for field in model.model_fields.values():
        if (below := section_in(field.annotation)) is not None:
            yield from models(below)


MODELS = tuple(dict.fromkeys(models(CompanySpec)))


def validators_of(model):
    known = model.__pydantic_decorators__
    assert not known.validators
    assert not known.root_validators
    return {*known.model_validators, *known.field_validators}


def has_validator(annotation):
    parts = (*getattr(annotation, "__metadata__", ()), *getattr(annotation, "__args__", ()))
    return any(isinstance(part, AfterValidator) or has_validator(part) for part in parts)


VALIDATORS = {(model, name) for model in MODELS for name in validators_of(model)}
CHECKED_FIELDS = {
    (model, name)
    for model in MODELS
    for name, field in model.model_fields.items()
    if has_validator(field.annotation) or any(isinstance(rule, AfterValidator) for rule in field.metadata)
}


def test_every_validator_has_a_rule_or_a_reason_for_having_none():
    assert {*RULES, *FIELD_RULES, *NOT_IN_CEL} == VALIDATORS | CHECKED_FIELDS
    assert not {*RULES, *FIELD_RULES} & set(NOT_IN_CEL)
    assert all(reason.strip() for reason in NOT_IN_CEL.values())


def test_validators_are_found_at_all():
    assert len(VALIDATORS) >= 9
    assert len(CHECKED_FIELDS) == 4


ALL_RULES = [rule for rules in (*RULES.values(), *FIELD_RULES.values(), (NAME,)) for rule in rules]
WAY_OUT = re.compile(r"lower|raise|keep|mark|needs|take it out|write|begin it|choose")


@pytest.mark.parametrize("rule", dict.fromkeys(ALL_RULES), ids=lambda rule: rule.message[:40])
def test_every_rule_says_what_to_do(rule):
    assert WAY_OUT.search(rule.message)


@pytest.mark.parametrize("model", dict.fromkeys(model for model, _ in RULES), ids=lambda model: model.__name__)
def test_rules_stand_at_their_section(model):
    wanted = [rule.as_schema() for (owner, _), rules in RULES.items() if owner is model for rule in rules]
    assert schema_of(model)["x-kubernetes-validations"] == wanted


def test_the_rule_for_the_name_stands_at_the_root():
    (version,) = definition()["spec"]["versions"]
    assert version["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] == [NAME.as_schema()]


def test_fields_that_may_hold_a_password_have_no_pattern_that_would_repeat_them():
    secret = [(model, name) for model in MODELS for name, field in model.model_fields.items() if not field.repr]
    assert secret
    for model, name in secret:
        field = schema_of(model)["properties"][model.model_fields[name].alias]
        assert "pattern" not in field
        assert field["x-kubernetes-validations"]


def reads(address, kind=ServerAddress):
    try:
        TypeAdapter(kind).validate_python(address)
    except ValidationError:
        return False
    return True


PIECES = st.sampled_from(
    ["amqp", "redis+x", "://", "user", ":", "@", "p%2Fw", "host", "[::1]", ":5672", ":65535", ":65536", ":99999",
     ":00080", ",", "/", "?", "#", " ", "a=b", "[", "]", "6553", "7"]
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=9).map("".join) | st.lists(PIECES, max_size=7).map(lambda rest: "amqp://" + "".join(rest))
)
def test_addresses_are_read_alike_by_both(address):
    assert bool(re.search(ADDRESS, address)) == reads(address)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("amqp://u:p@host:5672/v", True),
        ("postgresql://u:p@one:5432,two:5433/db?sslmode=require", True),
        ("redis://[::1]:65535/0", True),
        ("redis://host:65536", False),
        ("amqp://u:p/w@host", False),
        ("host:5672", False),
    ],
)
def test_addresses(address, good):
    assert bool(re.search(ADDRESS, address)) == reads(address) == good


@given(
    st.lists(PIECES, max_size=9).map("".join) | st.lists(PIECES, max_size=7).map(lambda rest: "http://" + "".join(rest))
)
def test_web_addresses_are_read_alike_by_both(address):
    assert bool(re.search(WEB_ADDRESS, address)) == reads(address, WebAddress)
    if reads(address, WebAddress):
        parts = urlsplit(address)
        assert parts.hostname
        assert parts.port is None or 1 <= parts.port <= 65_535


def test_the_model_s_address_has_its_rule_and_a_length_that_the_rule_can_be_reckoned_with():
    (rule,) = FIELD_RULES[ModelSpec, "base_url"]
    field = schema_of(ModelSpec)["properties"]["baseUrl"]
    assert field["x-kubernetes-validations"] == [rule.as_schema()]
    # It is written as a raw string of CEL in single quotes.
    assert "'" not in WEB_ADDRESS
    assert field["maxLength"] == 2000
