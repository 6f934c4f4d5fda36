"""Environment variables over the company's file: `AICOMPANY_<SECTION>__<FIELD>`."""

import difflib
import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from aicompany.errors import SpecInvalid
from aicompany.spec.company import CompanySpec

PREFIX = "AICOMPANY_"
RESERVED = frozenset({"AICOMPANY_TOKEN", "AICOMPANY_STATE", "AICOMPANY_URL", "AICOMPANY_COMPANY"})
"""Read by the commands; not part of the file."""


def with_overrides(document: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The document with every override put in its place under `spec`.

    A value is read as JSON when it is JSON (`3`, `true`, `["a"]`), else as text. Raises `SpecInvalid` for a name that
    is no field.
    """
    result = deepcopy(dict(document))
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in RESERVED:
            _put(result, name, environment[name])
    return result


def _put(document: dict[str, Any], name: str, value: str) -> None:
    parts = name.removeprefix(PREFIX).lower().split("__")
    section = document.setdefault("spec", {})
    model: type[BaseModel] = CompanySpec
    for depth, part in enumerate(parts):
        field = model.model_fields.get(part)
        if field is None or not isinstance(section, dict):
            raise SpecInvalid(_unknown(name, parts[:depth], part, model))
        key = field.alias or part
        if depth == len(parts) - 1:
            section[key] = _value_of(value)
            return
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            raise SpecInvalid(f"{name}: {part} is no section, so nothing can stand below it")
        model = field.annotation
        section = section.setdefault(key, {})


def _unknown(name: str, before: list[str], part: str, model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(part, list(model.model_fields), n=1, cutoff=0.6)
    hint = near[0] if near else None
    if hint:
        right = PREFIX + "__".join([*before, hint]).upper()
        return f"{name}: there is no {part} in the company's file; did you mean {right}?"
    return f"{name}: there is no {part} in the company's file; known here: {', '.join(model.model_fields)}"


def _value_of(text: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    try:
        return json.loads(text)
    except ValueError:
        return text
