"""The custom resource definition says what the specification says."""

from pathlib import Path

import pytest

from aicompany.spec.company import CompanySpec
from aicompany_operator.crd.__main__ import FILE, text
from aicompany_operator.crd.columns import COLUMNS
from aicompany_operator.crd.definition import definition
from aicompany_operator.crd.schema import section_in
from aicompany_operator.crd.status import CompanyStatus

ROOT = Path(__file__).parents[4]
(VERSION,) = definition()["spec"]["versions"]
RESOURCE = VERSION["schema"]["openAPIV3Schema"]

FORBIDDEN = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "title", "const", "definitions", "dependencies",
             "uniqueItems", "patternProperties", "x-kubernetes-preserve-unknown-fields"}  # fmt: skip
"""What a structural schema may not have, or may have only beside a type, and what would let unknown fields in."""


def schemas(schema, path=""):
    """The schema and every one below it, with its path."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from schemas(below, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from schemas(schema[word], f"{path}[]")


ALL = dict(schemas(RESOURCE))


def test_the_committed_file_is_current():
    assert (ROOT / "crds" / FILE).read_text(encoding="utf-8") == text(), f"crds/{FILE} is out of date; run `make docs`"


@pytest.mark.parametrize("path", ALL)
def test_every_schema_is_structural(path):
    schema = ALL[path]
    assert schema["type"] in {"object", "array", "string", "integer", "number", "boolean"}
    assert not FORBIDDEN & set(schema)
    assert not ({"properties", "additionalProperties"} <= set(schema))
    assert ("items" in schema) == (schema["type"] == "array")


@pytest.mark.parametrize("path", [path for path in ALL if not path.endswith("[]") and path != ".metadata"])
def test_every_field_has_a_description(path):
    assert ALL[path]["description"].endswith("."), path


def test_lists_with_names_are_maps_whose_keys_are_required():
    maps = {path: schema for path, schema in ALL.items() if schema.get("x-kubernetes-list-type") == "map"}
    assert set(maps) == {".spec.agents", ".status.conditions", ".status.groups"}
    for schema in maps.values():
        (key,) = schema["x-kubernetes-list-map-keys"]
        assert key in schema["items"]["required"]


def fields(model, path):
    for name, field in model.model_fields.items():
        here = f"{path}.{field.alias or name}"
        yield here
        below = section_in(field.annotation)
        if below is not None:
            yield from fields(below, f"{here}[]" if "tuple" in str(field.annotation) else here)


def test_every_field_of_the_models_is_there_and_no_other():
    wanted = {*fields(CompanySpec, ".spec"), *fields(CompanyStatus, ".status")}
    has = {path for path in ALL if path.startswith((".spec.", ".status.")) and not path.endswith("[]")}
    assert has == wanted


def test_no_bound_of_a_number_is_lost():
    assert ALL[".spec.gateway.port"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 65535,
        "description": "Port to listen on; 0 takes a free one. Default: 8700.",
        "default": 8700,
    }
    share = ALL[".spec.overload.leaveShare"]
    assert (share["minimum"], share["maximum"], share["exclusiveMaximum"]) == (0, 1, True)
    assert "exclusiveMinimum" not in share


def test_what_may_be_missing_is_absent_and_never_null():
    assert [path for path, schema in ALL.items() if "nullable" in schema] == []
    assert ALL[".spec"]["default"] == {}
    assert "required" not in RESOURCE
    assert "required" not in ALL[".spec"]


def test_columns_are_in_the_order_people_read_them():
    assert [column.name for column in COLUMNS if column.priority == 0] == [
        "Ready", "Workers", "Queued", "Track", "Age",
    ]  # fmt: skip
    assert [column.name for column in COLUMNS if column.priority == 1] == ["Reason", "Image"]


def test_every_column_shows_a_field_that_there_is():
    for column in COLUMNS:
        first = column.path.split("[")[0]
        assert first in ALL or first == ".metadata.creationTimestamp", column


def test_there_is_no_scale_subresource():
    assert set(VERSION["subresources"]) == {"status"}
