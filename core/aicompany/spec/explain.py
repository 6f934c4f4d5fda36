"""Mistakes in a company's file, as sentences: where, what, and what would be right."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aicompany.spec.address import without_password

Place = tuple[str | int, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake."""

    place: Place
    problem: str

    def sentence(self, lines: Mapping[Place, int] | None = None, variables: Mapping[Place, str] | None = None) -> str:
        """`path (line N): problem`; the line is that of the place or of the nearest thing around it.

        What an environment variable set is told by the variable's name instead.
        """
        path = path_of(self.place)
        variable = _nearest(self.place, variables or {})
        if variable is not None:
            return f"{variable} ({path}): {self.problem}"
        line = self.line(lines or {})
        below = [name for place, name in (variables or {}).items() if _is_below(place, self.place)]
        set_below = f" ({', '.join(below)} being set)" if below else ""
        return f"{path}{f' (line {line})' if line else ''}: {self.problem}{set_below}"

    def line(self, lines: Mapping[Place, int]) -> int | None:
        """Where in the file, from 1; `None` when nothing near it stands there."""
        return _nearest(self.place, lines)


def path_of(place: Place) -> str:
    """As people write paths: `spec.agents[1].name`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """All mistakes that a validation found."""
    return mistakes_in(error.errors(include_url=False), model)  # type: ignore[arg-type,unused-ignore]


def mistakes_in(errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> list[Mistake]:
    """All mistakes among pydantic's error details; with the model, unknown names get a suggestion.

    A list that only looks too short because its entries are wrong is not told as a mistake of its own.
    """
    places = [_place_of(found) for found in errors]
    return [
        Mistake(place, _problem(found, model))
        for place, found in zip(places, errors, strict=True)
        if found["type"] != "too_short" or not any(_is_below(other, place) for other in places)
    ]


def _place_of(found: Mapping[str, Any]) -> Place:
    *section, name = found["loc"] or ("",)
    # A number here is the key of a mapping, not a place in a list.
    return (*section, str(name)) if found["type"] == "invalid_key" else tuple(found["loc"])


def _is_below(place: Place, above: Place) -> bool:
    return len(place) > len(above) and place[: len(above)] == above


_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list (a `- …` line for each entry)",
    "list_type": "a list (a `- …` line for each entry)",
    "model_type": "a section (`key: value` lines)",
    "model_attributes_type": "a section (`key: value` lines)",
    "dict_type": "a section (`key: value` lines)",
}
"""What should stand there, by pydantic's kind of error."""


_OUT_OF_RANGE = "{shown} is out of range; {rule}"
_SIZES = {
    "greater_than": _OUT_OF_RANGE,
    "greater_than_equal": _OUT_OF_RANGE,
    "less_than": _OUT_OF_RANGE,
    "less_than_equal": _OUT_OF_RANGE,
    "string_too_short": "is empty or too short; at least {min_length} characters are needed",
    "string_too_long": "is too long a text; it may have {max_length} characters at most",
    "too_short": "is too short a list; it needs {min_length} or more",
    "too_long": "is too long a list; it may have {max_length} at most",
}
"""What to say of something too small or too large, by pydantic's kind of error."""


def _problem(found: Mapping[str, Any], model: type[BaseModel] | None) -> str:
    context = found.get("ctx", {})
    given = found.get("input")
    match found["type"]:
        case "extra_forbidden":
            return _unknown_field(tuple(found["loc"]), model)
        case "missing":
            return "is missing"
        case "value_error":
            return str(context.get("error", found["msg"]))
        case "invalid_key":
            return "is no name of a field; names are text"
        case "literal_error" | "enum":
            return f"{_shown(given)} is none of {context.get('expected')}"
        case "string_pattern_mismatch":
            return f"{_shown(given)} does not fit the pattern {context.get('pattern')}"
        case kind if kind in _SIZES:
            return _SIZES[kind].format(given=given, shown=_shown(given), rule=_sentence(found["msg"]), **context)
        case kind if kind in _WANTED and given is None:
            return f"is empty; write {_WANTED[kind]} there, or take the line out"
        case kind if kind in _WANTED:
            return f"{_shown(given)} is not {_WANTED[kind]}{_quotes(kind, given)}"
        case _:
            return f"{_sentence(found['msg'])}, not {_shown(given)}"


def _quotes(kind: str, given: object) -> str:
    is_list = isinstance(given, list | tuple | dict)
    return "; put it in quotes" if kind == "string_type" and not is_list else ""


def _unknown_field(place: Place, model: type[BaseModel] | None) -> str:
    if model is None:
        return "unknown field"
    known = _names_at(place[:-1], model)
    near = difflib.get_close_matches(_camel(str(place[-1])), known, n=1, cutoff=0.6)
    if near:
        return f"unknown field; did you mean `{near[0]}`?"
    return f"unknown field; known here: {', '.join(sorted(known)) or 'none'}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _names_at(place: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """The names a file may use in the section at this place."""
    for part in place:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in {n, f.alias}), None)
        section = next(_sections_in(field.annotation), None) if field else None
        if section is None:
            return []
        model = section
    return [field.alias or name for name, field in model.model_fields.items()]


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _sections_in(argument)


def _sentence(message: str) -> str:
    message = message.replace("Input should", "it should")
    return message[:1].lower() + message[1:]


def _shown(value: object) -> str:
    """What was given, short: a structure can be endless, so only its kind is told."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a section"
        case list() | tuple() | set():
            return "a list"
        case str():
            text = without_password(repr(value))
        case _:
            text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _nearest(place: Place, known: Mapping[Place, T]) -> T | None:
    for length in range(len(place), 0, -1):
        if place[:length] in known:
            return known[place[:length]]
    return None
