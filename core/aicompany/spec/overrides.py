"""Environment variables over the company's file: `AICOMPANY_<SECTION>__<FIELD>`."""

import difflib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aicompany.errors import SpecInvalid
from aicompany.spec.company import CompanySpec

PREFIX = "AICOMPANY_"
RESERVED = frozenset({"AICOMPANY_TOKEN", "AICOMPANY_STATE", "AICOMPANY_URL", "AICOMPANY_COMPANY"})
"""Read by the commands; not part of the file."""


@dataclass(frozen=True, slots=True)
class Overridden:
    """A document after its overrides."""

    document: dict[str, Any]
    variables: Mapping[tuple[str | int, ...], str]
    """Place → the variable that set it; a mistake there is the variable's, not the file's."""


def with_overrides(document: Mapping[str, Any], environment: Mapping[str, str]) -> Overridden:
    """The document with every override put in its place under `spec`.

    A value for a field of text is taken as it is; any other is read as JSON when it is JSON (`3`, `true`, `["a"]`).
    A section that is no mapping in the document is left alone: the mistake is in the file, and validation finds it.
    Raises `SpecInvalid` with all names that are no field.
    """
    result = deepcopy(dict(document))
    variables: dict[tuple[str | int, ...], str] = {}
    mistakes: list[str] = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in RESERVED:
            continue
        try:
            place, field = _place_of(name)
        except SpecInvalid as mistake:
            mistakes.append(mistake.message)
            continue
        if _put(result, place, _value_of(environment[name], field)):
            variables[place] = name
    if mistakes:
        raise SpecInvalid("\n".join(mistakes))
    return Overridden(result, variables)


def _place_of(name: str) -> tuple[tuple[str, ...], FieldInfo]:
    """Where the variable's value belongs, in the names of the file. Raises `SpecInvalid`."""
    *sections, last = name.removeprefix(PREFIX).lower().split("__")
    model: type[BaseModel] = CompanySpec
    place = ["spec"]
    for depth, part in enumerate(sections):
        field = _field_of(name, sections[:depth], part, model)
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            whole = PREFIX + "__".join(sections[: depth + 1]).upper()
            raise SpecInvalid(f"{name}: {part} is no section, so nothing can stand below it; set {whole} as a whole")
        place.append(field.alias or part)
        model = field.annotation
    field = _field_of(name, sections, last, model)
    return (*place, field.alias or last), field


def _field_of(name: str, before: list[str], part: str, model: type[BaseModel]) -> FieldInfo:
    field = model.model_fields.get(part)
    if field is not None:
        return field
    near = difflib.get_close_matches(part, list(model.model_fields), n=1, cutoff=0.6)
    if near:
        right = PREFIX + "__".join([*before, near[0]]).upper()
        raise SpecInvalid(f"{name}: there is no {part} in the company's file; did you mean {right}?")
    known = ", ".join(model.model_fields)
    raise SpecInvalid(f"{name}: there is no {part} in the company's file; known here: {known}")


def _put(document: dict[str, Any], place: tuple[str, ...], value: object) -> bool:
    """Put the value in its place; whether it could be put there."""
    section: Any = document
    for key in place[:-1]:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            return False
    section[place[-1]] = value
    return True


def _value_of(text: str, field: FieldInfo) -> object:
    if str in {field.annotation, *getattr(field.annotation, "__args__", ())}:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
