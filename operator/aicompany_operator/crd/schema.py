"""From the pydantic model to a structural OpenAPI schema, as a custom resource definition needs it.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ (structural
schemas, defaulting, validation rules).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aicompany_operator.crd.rules import RULES, WITHOUT_DEFAULT

Schema = dict[str, Any]

_KEPT = ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
         "maxProperties", "format")  # fmt: skip

LIST_KEYS: Mapping[str, str] = {"agents": "name", "conditions": "type", "groups": "name"}
"""Lists whose entries have a name: the API server refuses doubles, and appliers own entries, not the whole list."""


def schema_of(model: type[BaseModel]) -> Schema:
    """The object of a model: all its fields, with descriptions, defaults, bounds and rules."""
    raw = model.model_json_schema(by_alias=True)
    definitions = raw.get("$defs", {})
    properties: dict[str, Schema] = {}
    required = []
    for name, field in model.model_fields.items():
        alias = field.alias or name
        properties[alias] = _field(model, name, field, raw["properties"][alias], definitions)
        if field.is_required():
            required.append(alias)
    schema: Schema = {"type": "object", "description": _doc(model), "properties": properties}
    if required:
        schema["required"] = required
    if model in RULES:
        schema["x-kubernetes-validations"] = [rule.as_schema() for rule in RULES[model]]
    return schema


def _field(
    model: type[BaseModel], name: str, field: FieldInfo, raw: Schema, definitions: Mapping[str, Schema]
) -> Schema:
    alias = field.alias or name
    section = section_in(field.annotation)
    if section is None:
        schema = _leaf(raw, definitions)
    elif "tuple" in str(field.annotation):
        schema = {"type": "array", "items": schema_of(section)}
        schema |= {bound: raw[bound] for bound in ("minItems", "maxItems") if bound in raw}
        if alias in LIST_KEYS:
            schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [LIST_KEYS[alias]]}
    else:
        schema = schema_of(section)
    if field.description:
        schema["description"] = field.description
    default = _default(field, section)
    if default is not None and (model, name) not in WITHOUT_DEFAULT:
        schema["default"] = default
    return schema


def _default(field: FieldInfo, section: type[BaseModel] | None) -> object:
    """As JSON; `{}` for a section that is what its model says anyway, so that its own fields' defaults fill it."""
    if field.is_required():
        return None
    value: Any = field.get_default(call_default_factory=True)
    if section is not None and isinstance(value, section) and value == section():
        return {}
    if value in (None, (), {}):
        return None
    return _as_json(value)


def _as_json(value: Any) -> object:  # noqa: ANN401 - any default
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=False)
    if isinstance(value, tuple):
        return [_as_json(entry) for entry in value]
    return str(value) if isinstance(value, str) else value


def _leaf(raw: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A plain field, a list or a map of them."""
    for option in raw.get("anyOf", ()):
        if option.get("type") != "null":
            raw = {**raw, **option}
    if "$ref" in raw:
        raw = {**raw, **definitions[raw["$ref"].rsplit("/", 1)[1]]}
    schema = {name: raw[name] for name in _KEPT if name in raw}
    if "const" in raw:
        schema["enum"] = [raw["const"]]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in raw:
            schema |= {limit: raw[bound], bound: True}
    if schema.get("type") == "array":
        schema["items"] = _leaf(raw["items"], definitions)
    if isinstance(raw.get("additionalProperties"), dict):
        schema["additionalProperties"] = _leaf(raw["additionalProperties"], definitions)
    return schema


def section_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """The model in a field's type, also inside `X | None` and `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := section_in(argument)) is not None:
            return found
    return None


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())
