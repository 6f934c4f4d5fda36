"""From the pydantic model to a structural OpenAPI schema, as a custom resource definition needs it.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ (structural
schemas, defaulting, validation rules).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aicompany_operator.crd.rules import FIELD_RULES, WITHOUT_DEFAULT, Rule, rules_of

Schema = dict[str, Any]

_KEPT = ("type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")

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
    return schema | _validations(rules_of(model))


def _validations(rules: Iterable[Rule]) -> Schema:
    found = [rule.as_schema() for rule in rules]
    return {"x-kubernetes-validations": found} if found else {}


def _field(
    model: type[BaseModel], name: str, field: FieldInfo, raw: Schema, definitions: Mapping[str, Schema]
) -> Schema:
    section = section_in(field.annotation)
    if section is None:
        schema = _leaf(raw, definitions)
    elif raw.get("type") == "array":
        schema = _list_of(section, field.alias or name, raw)
    else:
        schema = schema_of(section)
    if not field.repr:
        # The API server repeats what does not fit a pattern; a rule in its place keeps a password to itself.
        schema.pop("pattern", None)
    default = _default(field, section)
    schema["description"] = f"{field.description}{_told(default)}"
    if default is not None and (model, name) not in WITHOUT_DEFAULT:
        schema["default"] = default
    if (model, name) in FIELD_RULES:
        schema |= _validations(FIELD_RULES[model, name])
    return schema


def _list_of(section: type[BaseModel], alias: str, raw: Schema) -> Schema:
    bounds: Schema = {bound: raw[bound] for bound in ("minItems", "maxItems") if bound in raw}
    schema: Schema = {"type": "array", **bounds, "items": schema_of(section)}
    if alias not in LIST_KEYS:
        return schema | {"x-kubernetes-list-type": "atomic"}
    return schema | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [LIST_KEYS[alias]]}


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


def _told(default: object) -> str:
    """For `kubectl explain`, which shows no defaults of its own."""
    match default:
        case None | "":
            return ""
        case list():
            return f" When left out: {', '.join(entry['name'] for entry in default)}."
        case dict():
            values = ", ".join(f"{name} {value}" for name, value in default.items())
            return f" When left out: {values}." if values else ""
        case bool():
            return f" Default: {str(default).lower()}."
        case _:
            return f" Default: {default}."


def _as_json(value: Any) -> object:  # noqa: ANN401 - any default
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
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
        schema |= {"items": _leaf(raw["items"], definitions), "x-kubernetes-list-type": "atomic"}
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
