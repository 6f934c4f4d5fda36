"""What the API server fills in is what pydantic fills in."""

from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aicompany.spec.company import CompanySpec
from aicompany_operator.crd.schema import schema_of

SCHEMA = schema_of(CompanySpec) | {"default": {}}


def defaulted(schema, value):
    """As the API server does it: absent fields get their default, then what is inside them theirs."""
    if isinstance(value, dict):
        for name, below in schema.get("properties", {}).items():
            if name not in value and "default" in below:
                value[name] = deepcopy(below["default"])
            if name in value:
                value[name] = defaulted(below, value[name])
    elif isinstance(value, list):
        value = [defaulted(schema["items"], entry) for entry in value]
    return value


def numbers(schema):
    lowest = schema.get("minimum", 0)
    highest = schema.get("maximum", lowest + 50)
    around = {lowest + 1, (lowest + highest) / 2}
    if not schema.get("exclusiveMinimum"):
        around.add(lowest)
    if not schema.get("exclusiveMaximum"):
        around.add(highest)
    fitting = sorted(value for value in around if value <= highest)
    if schema["type"] == "integer":
        return st.sampled_from(sorted({int(value) for value in fitting})) | st.integers(
            int(lowest), int(min(highest, lowest + 12))
        )
    return st.sampled_from(fitting)


TEXTS = {
    "name": ["writer", "reader", "clerk"],
    "key": ["key"],
    "url": ["amqp://u:p@h:1/v", "postgresql://h/d", "redis://h"],
    "baseUrl": ["https://model.example"],
}


def texts(name, schema):
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "default" in schema and "pattern" in schema:
        return st.sampled_from([schema["default"], "2", "250m"])
    return st.sampled_from(TEXTS.get(name, ["some", "other"]))


def values(name, schema):
    """Values for a field, each section with any of its fields left out."""
    match schema["type"]:
        case "object" if "properties" in schema:
            below = {inner: values(inner, part) for inner, part in schema["properties"].items()}
            required = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {inner: below[inner] for inner in below if inner in required},
                optional={inner: below[inner] for inner in below if inner not in required},
            )
        case "object":
            return st.dictionaries(st.sampled_from(["a", "b"]), st.just("c"), max_size=2)
        case "array":
            return st.lists(values(name, schema["items"]), min_size=schema.get("minItems", 0), max_size=2)
        case "boolean":
            return st.booleans()
        case "string":
            return texts(name, schema)
        case _:
            return numbers(schema)


SECTIONS = {name: values(name, schema) for name, schema in SCHEMA["properties"].items()}
FEW_SECTIONS = st.lists(st.sampled_from(sorted(SECTIONS)), max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: SECTIONS[name] for name in names})
)


def read(spec):
    """The specification, or nothing when it is refused."""
    try:
        return CompanySpec.model_validate(spec)
    except ValidationError:
        return None


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(FEW_SECTIONS)
def test_a_partly_given_section_means_the_same_with_and_without_the_api_server(partial):
    assert read(defaulted(SCHEMA, deepcopy(partial))) == read(partial)


@pytest.mark.parametrize(
    "partial",
    [
        {},
        {"workers": {}},
        {"workers": {"pm": {}}},
        {"workers": {"pm": {"min": 2}}},
        {"workers": {"result": {"max": 1}}},
        {"breakers": {"model": {"trialsMax": 2}}},
        {"scaling": {"queuePerWorker": 20}},
        {"agents": [{"name": "only", "fallback": True, "workers": {"min": 2}}]},
        {"pods": {"worker": {"cpuLimit": "2"}, "tolerations": [{"key": "gpu"}]}},
    ],
)
def test_these_parts_are_good_and_mean_the_same(partial):
    given_by_hand = read(partial)
    assert given_by_hand is not None
    assert read(defaulted(SCHEMA, deepcopy(partial))) == given_by_hand


def test_almost_everything_stands_there_once_the_api_server_is_done():
    filled = defaulted(SCHEMA, {})
    wanted = CompanySpec().model_dump(mode="json", by_alias=True, exclude_none=True)
    del wanted["scaling"]["queuePerWorkerMax"], wanted["agents"]
    for section, name in (("pods", "pullSecrets"), ("pods", "tolerations"), ("pods", "nodeSelector")):
        assert not wanted[section].pop(name)
    assert filled == wanted


def test_a_beginning_above_the_usual_end_stays_a_fixed_threshold():
    filled = defaulted(SCHEMA, {"scaling": {"queuePerWorker": 20}})
    assert "queuePerWorkerMax" not in filled["scaling"]
